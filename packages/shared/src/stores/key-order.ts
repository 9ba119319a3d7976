/**
 * Compares strings by the bytes of their UTF-8, the order in which S3 lists keys: less than 0
 * where `a` comes first. JavaScript's own order is by UTF-16 code units, which differs above
 * U+FFFF: a surrogate is a smaller number than U+E000…U+FFFF, but stands for a larger code point.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xIsSurrogate = isSurrogate(x);
    if (xIsSurrogate !== isSurrogate(y)) return xIsSurrogate ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
