import { readFile } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { makeThumbnail } from '../dist/gallery/index.js';
import { photographPath, photographRows } from './gallery-rows.ts';

/** The mean colour of a thumbnail's left and right half, as [red, green, blue]. */
async function halves(bytes: Buffer, width: number, height: number): Promise<number[][]> {
  const half = Math.floor(width / 2);
  return Promise.all(
    [0, width - half].map(async (left) => {
      const crop = sharp(bytes).extract({ left, top: 0, width: half, height });
      const { channels } = await sharp(await crop.png().toBuffer()).stats();
      return channels.slice(0, 3).map(({ mean }) => Math.round(mean));
    }),
  );
}

function plain(width: number, height: number, background: string): Sharp {
  return sharp({ create: { width, height, channels: 3, background } });
}

describe('makeThumbnail', () => {
  it('keeps the shape of a photograph within 360 pixels, as a small WebP', async () => {
    for (const row of photographRows()) {
      const { bytes, width, height } = await makeThumbnail(await readFile(photographPath(row)));
      expect(Math.max(width, height)).toBe(360);
      expect(width / height).toBeCloseTo(row.width / row.height, 1);
      expect(bytes.length).toBeLessThan(40_000);
      expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width, height });
    }
  });

  it('shows a file that browsers do not', async () => {
    const pnm = Buffer.concat([Buffer.from('P6 2 1 255\n'), Buffer.alloc(6, 99)]);
    expect(await makeThumbnail(pnm)).toMatchObject({ width: 2, height: 1 });
  });

  it('does not enlarge a small image', async () => {
    const image = await plain(20, 10, 'red').png().toBuffer();
    expect(await makeThumbnail(image)).toMatchObject({ width: 20, height: 10 });
  });

  it('turns an image upright as its EXIF orientation says', async () => {
    // Red above blue; orientation 8 turns it a quarter to the left: red comes to the left.
    const image = await plain(300, 200, 'blue')
      .composite([{ input: await plain(300, 100, 'red').png().toBuffer(), top: 0, left: 0 }])
      .withMetadata({ orientation: 8 })
      .jpeg()
      .toBuffer();
    const { bytes, width, height } = await makeThumbnail(image);
    expect([width, height]).toEqual([200, 300]);
    const [left = [], right = []] = await halves(bytes, width, height);
    expect(left[0]).toBeGreaterThan(200);
    expect(left[2]).toBeLessThan(60);
    expect(right[0]).toBeLessThan(60);
    expect(right[2]).toBeGreaterThan(200);
  });

  it('shows CMYK and 16-bit grey images in sRGB', async () => {
    const cmyk = await plain(40, 40, '#c04020').toColourspace('cmyk').jpeg().toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk');
    const grey = await sharp(new Uint16Array(1600).fill(0x8080), {
      raw: { width: 40, height: 40, channels: 1 },
    })
      .toColourspace('grey16')
      .tiff({ compression: 'lzw' })
      .toBuffer();
    expect((await sharp(grey).metadata()).depth).toBe('ushort');
    for (const [image, colour] of [
      [cmyk, [192, 64, 32]],
      [grey, [128, 128, 128]],
    ] as const) {
      const { bytes, width, height } = await makeThumbnail(image);
      const [mean = []] = await halves(bytes, width, height);
      for (const [channel, value] of colour.entries()) {
        expect(Math.abs((mean[channel] ?? 0) - value)).toBeLessThan(40);
      }
    }
  });

  it('makes the best of a truncated image, and refuses what is none', async () => {
    const whole = await sharp(photographPath({ key: 'black-canyon.jpg' }))
      .jpeg()
      .toBuffer();
    const cut = whole.subarray(0, whole.length / 2);
    expect(await makeThumbnail(cut)).toMatchObject({ width: 360 });
    await expect(makeThumbnail(Buffer.from('not an image'))).rejects.toThrow();
  });
});
