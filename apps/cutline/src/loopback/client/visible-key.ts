/**
 * A key as people read it, on pages and in galleries: control characters as the Unicode block
 * of their pictures. A line feed is ␊.
 */
export function visibleKey(key: string): string {
  return Array.from(key, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? '␡' : character;
  }).join('');
}
