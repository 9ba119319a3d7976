/**
 * What a file or a server says, as it is repeated in a message: on one line, at a bounded length,
 * and without the control characters by which a terminal could be led to show something else.
 */
export function quote(text: string): string {
  const short = text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
  const shown = short.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `'${shown}'`;
}

const lengthMax = 120;
