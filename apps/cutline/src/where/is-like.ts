/**
 * `like` of SQL: `%` stands for any characters, `_` for one. A text is gone through from its left,
 * with what stands between two `%` taken where it fits first: a pattern with many of them takes its
 * length times that of the text at the worst, where a regular expression tries all ways there are.
 */
export function isLike(text: string, pattern: string): boolean {
  const characters = Array.from(text);
  const [first = [], ...rest] = piecesOf(pattern);
  if (!fits(first, characters, 0)) return false;
  const last = rest.pop();
  if (!last) return first.length === characters.length;
  let from = first.length;
  const end = characters.length - last.length;
  for (const piece of rest) {
    while (from + piece.length <= end && !fits(piece, characters, from)) from += 1;
    from += piece.length;
    if (from > end) return false;
  }
  return from <= end && fits(last, characters, end);
}

const known = new Map<string, readonly (readonly string[])[]>();

/** What stands between two `%`, by its characters. */
function piecesOf(pattern: string): readonly (readonly string[])[] {
  const pieces = known.get(pattern) ?? pattern.split('%').map((piece) => Array.from(piece));
  known.set(pattern, pieces);
  return pieces;
}

function fits(piece: readonly string[], characters: readonly string[], from: number): boolean {
  return piece.every((each, n) => {
    const character = characters[from + n];
    return each === '_' ? character !== undefined : each === character;
  });
}
