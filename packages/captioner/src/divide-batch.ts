/**
 * A batch of `count` images as consecutive pieces, as `[first, end)`. They are equal but for one
 * image: a small one at the end would take a device almost as long as the others.
 */
export function divideBatch(count: number, pieces: number): [first: number, end: number][] {
  const boundary = (piece: number) => Math.floor((piece * count) / pieces);
  return Array.from({ length: pieces }, (_, piece) => [boundary(piece), boundary(piece + 1)]);
}
