import { loadSharp } from '../load-sharp.ts';

/** A picture of nothing in particular, to ask a server about: a gradient. */
export async function madeUpJpeg(side = 256): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const pixels = Uint8Array.from({ length: side * side * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side)];
    return [x, y, 255 - x][i % 3] ?? 0;
  });
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .jpeg()
    .toBuffer();
}
