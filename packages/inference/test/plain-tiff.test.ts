import { plainTiff, readDirectories } from '@cutline/inference';
import { ImageError } from '@cutline/shared/errors';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { tiffFile } from './support/tiff-file.ts';

/** Rare kinds of TIFF, made plain: what libvips then sees, without a second decoder. */

const side = 16;
const pixelCount = side * side;
const ramp = Array.from({ length: pixelCount }, (_, i) => i);

function plain(bytes: Buffer, pixelsMax = 1e6): Buffer {
  const [page] = readDirectories(bytes) ?? [];
  if (!page) throw new Error('no directory');
  return plainTiff(bytes, page, pixelsMax);
}

/** [pixels, channels], 8 bit; of grey one channel. */
async function seen(bytes: Buffer): Promise<number[]> {
  const { data, info } = await sharp(plain(bytes))
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const isGrey = data.every((value, i) => value === data[i - (i % info.channels)]);
  return [...data].filter((_, i) => !isGrey || i % info.channels === 0);
}

/** Samples as bytes, `bytesEach` wide. */
function written(
  values: readonly number[],
  bytesEach: number,
  write: (bytes: Buffer, value: number, at: number) => void,
): Buffer {
  const bytes = Buffer.alloc(values.length * bytesEach);
  for (const [n, value] of values.entries()) write(bytes, value, n * bytesEach);
  return bytes;
}

const int16 = (values: readonly number[]) =>
  written(values, 2, (bytes, value, at) => bytes.writeInt16LE(value, at));
const uint16 = (values: readonly number[]) =>
  written(values, 2, (bytes, value, at) => bytes.writeUInt16LE(value, at));
const float64 = (values: readonly number[]) =>
  written(values, 8, (bytes, value, at) => bytes.writeDoubleLE(value, at));
const float32 = (values: readonly number[]) =>
  written(values, 4, (bytes, value, at) => bytes.writeFloatLE(value, at));
const uint32 = (values: readonly number[]) =>
  written(values, 4, (bytes, value, at) => bytes.writeUInt32LE(value, at));

const picture = (chunk: Uint8Array, tags: Record<number, number[]>) =>
  tiffFile({ width: side, height: side, chunks: [chunk], tags });

const rgb = { 262: [2], 277: [3] };
const three = (bits: number) => [bits, bits, bits];

test.each([
  ['signed, of 0 and more', int16(ramp.map((v) => v * 128)), { 258: [16], 339: [2] }],
  ['signed', int16(ramp.map((v) => v * 257 - 32_768)), { 258: [16], 339: [2] }],
  ['signed, of 12 bits', int16(ramp.map((v) => v << 4)), { 258: [16], 339: [2] }],
  ['double, up to 1', float64(ramp.map((v) => v / 255)), { 258: [64], 339: [3] }],
  ['float, up to 65,535', float32(ramp.map((v) => v * 257)), { 258: [32], 339: [3] }],
  ['float, from -1 to 1', float32(ramp.map((v) => v / 127.5 - 1)), { 258: [32], 339: [3] }],
  ['8 bits in 32', uint32(ramp), { 258: [32] }],
  ['12 bits in 16, 0 is white', uint16(ramp.map((v) => 4095 - (v << 4))), { 258: [16], 262: [0] }],
  ['14 bits in 16, as it says', uint16(ramp.map((v) => v << 6)), { 258: [16], 281: [16_383] }],
])('samples that are %s', async (_, chunk, tags) => {
  const values = await seen(picture(chunk, tags));
  expect(Math.max(...values.map((value, i) => Math.abs(value - i)))).toBeLessThanOrEqual(1);
});

test('no data is not the brightest light', async () => {
  const values = [3e38, Number.NaN, ...ramp.slice(2).map((v) => v / 255)];
  const found = await seen(picture(float32(values), { 258: [32], 339: [3] }));
  expect(found.slice(0, 4)).toEqual([255, 0, 2, 3]);
});

test('bits may be written from the lowest on', async () => {
  const bits = Buffer.alloc(side * 2, 0b0000_0001);
  const found = await seen(picture(bits, { 258: [1], 266: [2] }));
  expect(found.slice(0, 9)).toEqual([255, 0, 0, 0, 0, 0, 0, 0, 255]);
});

test('colours of 4 bits', async () => {
  const row = Array.from({ length: side / 2 }, () => [0xf0, 0x8f, 0x08]).flat();
  const chunk = Buffer.from(Array.from({ length: side }, () => row).flat());
  const found = await seen(picture(chunk, { ...rgb, 258: three(4) }));
  expect(found.slice(0, 6)).toEqual([255, 0, 136, 255, 0, 136]);
});

test('planes, with samples beyond colour', async () => {
  const plane = (value: number) => Buffer.alloc(pixelCount, value);
  const chunks = [plane(10), plane(20), plane(30), plane(99), plane(77)];
  const tags = { ...rgb, 258: [8, 8, 8, 8, 8], 277: [5], 284: [2], 338: [0, 0] };
  const found = await seen(tiffFile({ width: side, height: side, chunks, tags }));
  expect(found.slice(0, 3)).toEqual([10, 20, 30]);
});

test.each([
  ['multiplied', 1, 100 + 128],
  ['not multiplied', 2, 50 + 128],
])('transparency that is %s is laid on white', async (_, kind, expected) => {
  const grey = tiffFile({
    ...{ width: side, height: side },
    chunks: [Buffer.alloc(pixelCount, 100), Buffer.alloc(pixelCount, 127)],
    tags: { 258: [8, 8], 277: [2], 284: [2], 338: [kind] },
  });
  expect((await seen(grey))[0]).toBe(expected);
});

describe('colour spaces', () => {
  const pixels = (values: readonly number[]) =>
    Buffer.from(Array.from({ length: pixelCount }, () => values).flat());
  const close = (found: number[], expected: readonly number[]) =>
    expect(Math.max(...expected.map((v, i) => Math.abs(v - (found[i] ?? 0))))).toBeLessThan(3);

  // Of sRGB (200, 100, 50): as littleCMS has it.
  test.each([
    ['L*a*b*', 8, [138, 38, 46]],
    ['ICC’s L*a*b*', 9, [138, 166, 174]],
  ])('%s', async (_, photometric, lab) => {
    const found = await seen(picture(pixels(lab), { ...rgb, 258: three(8), 262: [photometric] }));
    close(found, [200, 100, 50]);
  });

  test('YCbCr whose colours are coarser than its light', async () => {
    const unit = [76, 76, 150, 150, 100, 150];
    const chunk = Buffer.from(Array.from({ length: pixelCount / 4 }, () => unit).flat());
    const found = await seen(picture(chunk, { ...rgb, 258: three(8), 262: [6], 530: [2, 2] }));
    close(found.slice(0, 3), [107, 70, 26]);
    close(found.slice(side * 3, side * 3 + 3), [181, 144, 100]);
  });

  test('palettes of 16 bits', async () => {
    const map = Array<number>(3 * 65_536).fill(0);
    for (const [channel, value] of [200, 100, 50].entries())
      map[channel * 65_536 + 300] = value * 257;
    const tags = { 258: [16], 262: [3], 320: map };
    close(await seen(picture(uint16(ramp.map(() => 300)), tags)), [200, 100, 50]);
  });
});

describe('compressions', () => {
  const large = 100;
  const noise = Buffer.from({ length: large * large * 3 }).map((_, i) => (i * i + i / 7) % 256);
  const image = () => sharp(noise, { raw: { width: large, height: large, channels: 3 } });

  test.each(['none', 'lzw', 'deflate', 'packbits'] as const)(
    '%s, in strips and tiles',
    async (compression) => {
      for (const tile of [false, true]) {
        for (const predictor of ['none', 'horizontal'] as const) {
          const file = await image().tiff({ compression, predictor, tile }).toBuffer();
          expect(Buffer.from(await seen(file)).equals(noise)).toBe(true);
        }
      }
    },
  );

  test.each(['lzw', 'deflate', 'packbits'] as const)(
    '%s that is cut short is corrupt',
    async (compression) => {
      const file = await image().tiff({ compression, predictor: 'none' }).toBuffer();
      const [page] = readDirectories(file) ?? [];
      if (!page) throw new Error('no directory');
      const chunks = page.chunks.map(({ offset, bytes }) => ({ offset, bytes: bytes >> 1 }));
      expect(() => plainTiff(file, { ...page, chunks }, 1e6)).toThrow(ImageError);
    },
  );
});

test('more pixels than are accepted are refused before anything is read', () => {
  const bomb = picture(Buffer.alloc(4), { 256: [60_000], 257: [60_000], 258: [32] });
  expect(() => plain(bomb)).toThrow(/3600000000 pixels/);
});

test('a tile of gigabytes is refused', () => {
  const tags = { 258: [32], 322: [100_000], 323: [100_000], 324: [8], 325: [4] };
  expect(() => plain(picture(Buffer.alloc(4), tags))).toThrow(/gigabytes/);
});
