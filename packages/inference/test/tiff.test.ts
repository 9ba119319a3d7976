import { deflateSync } from 'node:zlib';
import { decodeImage, lookAtImage } from '@cutline/inference';
import { ImageError } from '@cutline/shared/errors';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { tiffFile } from './support/tiff-file.ts';

/** Kinds of TIFF that were seen wrong without a word, or refused though they are sound. */

const side = 64;
const spec = { width: side, height: side, fit: 'squash', kernel: 'cubic' } as const;
const pixelCount = side * side;

/** A ramp from black at the left to white at the right. */
const ramp = (x: number) => Math.round((x * 255) / (side - 1));
const rampAt = (index: number) => ramp(index % side);
const greys = Buffer.from({ length: pixelCount }).map((_, i) => rampAt(i));

async function decode(bytes: Buffer) {
  return decodeImage(bytes, spec, { pixelsMax: 1e6, timeoutMs: 20_000 });
}

const failure = (bytes: Buffer) =>
  decode(bytes).then(
    () => 'captioned',
    (error) => {
      if (!(error instanceof ImageError)) throw error;
      return `${error.failureClass}: ${error.message}`;
    },
  );

/** Mean absolute difference from the ramp. */
async function offRamp(bytes: Buffer): Promise<number> {
  const { pixels } = await decode(bytes);
  return (
    pixels.reduce((sum, value, i) => sum + Math.abs(value - rampAt(Math.floor(i / 3))), 0) /
    pixels.length
  );
}

/** A sample each, `bits` wide, rows padded to bytes. */
function packed(bits: number, valueAt: (index: number) => number): Buffer {
  const rowBytes = Math.ceil((side * bits) / 8);
  const bytes = Buffer.alloc(rowBytes * side);
  for (let i = 0; i < pixelCount; i++) {
    const value = valueAt(i);
    for (let bit = 0; bit < bits; bit++) {
      if (!((value >> (bits - 1 - bit)) & 1)) continue;
      const at = (i % side) * bits + bit;
      bytes[Math.floor(i / side) * rowBytes + (at >> 3)]! |= 0x80 >> (at & 7);
    }
  }
  return bytes;
}

const grey = (chunk: Uint8Array, tags: Record<number, number[]> = {}) =>
  tiffFile({ width: side, height: side, chunks: [chunk], tags });

/** `samples` a pixel, of which the first ones are colours. */
const interleaved = (samples: number, valueAt: (index: number, sample: number) => number) =>
  Buffer.from({ length: pixelCount * samples }).map((_, i) =>
    valueAt(Math.floor(i / samples), i % samples),
  );

describe('samples', () => {
  const full = (bits: number) => 2 ** bits - 1;

  test.each([10, 12, 14])('of %i bits', async (bits) => {
    const chunk = packed(bits, (i) => Math.round((rampAt(i) * full(bits)) / 255));
    expect(await offRamp(grey(chunk, { 258: [bits] }))).toBeLessThan(1);
  });

  test.each([2, 4])('of %i bits are in the middle of what they stand for', async (bits) => {
    const chunk = packed(bits, (i) => rampAt(i) >> (8 - bits));
    const negative = packed(bits, (i) => full(bits) - (rampAt(i) >> (8 - bits)));
    const step = 256 / 2 ** bits;
    expect(await offRamp(grey(chunk, { 258: [bits] }))).toBeLessThan(step / 3);
    expect(await offRamp(grey(negative, { 258: [bits], 262: [0] }))).toBeLessThan(step / 3);
  });

  test('of 12 bits where 0 is white', async () => {
    const chunk = packed(12, (i) => full(12) - Math.round((rampAt(i) * full(12)) / 255));
    expect(await offRamp(grey(chunk, { 258: [12], 262: [0] }))).toBeLessThan(1);
  });

  test('of 12 bits in 16 are not nearly black', async () => {
    const chunk = Buffer.alloc(pixelCount * 2);
    for (let i = 0; i < pixelCount; i++) chunk.writeUInt16LE(rampAt(i) << 4, i * 2);
    expect(await offRamp(grey(chunk, { 258: [16] }))).toBeLessThan(2);
  });

  test('of 16 bits that are dark stay dark', async () => {
    const chunk = Buffer.alloc(pixelCount * 2);
    for (let i = 0; i < pixelCount; i++) chunk.writeUInt16LE(rampAt(i) * 64, i * 2);
    const { pixels } = await decode(grey(chunk, { 258: [16] }));
    expect(Math.max(...pixels)).toBeGreaterThan(60);
    expect(Math.max(...pixels)).toBeLessThan(68);
  });

  test.each([1, 255])('of floating point, up to %i', async (white) => {
    const chunk = Buffer.alloc(pixelCount * 4);
    for (let i = 0; i < pixelCount; i++) chunk.writeFloatLE((rampAt(i) * white) / 255, i * 4);
    expect(await offRamp(grey(chunk, { 258: [32], 339: [3] }))).toBeLessThan(1);
  });

  test('of 32 bits', async () => {
    const chunk = Buffer.alloc(pixelCount * 4);
    for (let i = 0; i < pixelCount; i++) chunk.writeUInt32LE(rampAt(i) * 0x01010101, i * 4);
    expect(await offRamp(grey(chunk, { 258: [32] }))).toBeLessThan(1);
  });

  test('of 12 bits in 16 are not nearly white, where 0 is white', async () => {
    const chunk = Buffer.alloc(pixelCount * 2);
    for (let i = 0; i < pixelCount; i++) chunk.writeUInt16LE(4_095 - (rampAt(i) << 4), i * 2);
    expect(await offRamp(grey(chunk, { 258: [16], 262: [0] }))).toBeLessThan(2);
  });

  test('beyond colour that say nothing of themselves are no transparency', async () => {
    // Infrared of a film scanner, dark where the film is; a selection; a spot colour.
    const infrared = interleaved(4, (i, sample) => (sample < 3 ? rampAt(i) : 10));
    const tags = { 258: [8, 8, 8, 8], 262: [2], 277: [4], 338: [0] };
    expect(await offRamp(grey(infrared, tags))).toBeLessThan(1);
    const selection = interleaved(2, (i, sample) => (sample < 1 ? rampAt(i) : 0));
    expect(await offRamp(grey(selection, { 258: [8, 8], 277: [2], 338: [0] }))).toBeLessThan(1);
    const two = interleaved(5, (i, sample) => (sample < 3 ? rampAt(i) : 77));
    const twoTags = { 258: [8, 8, 8, 8, 8], 262: [2], 277: [5], 338: [0, 0] };
    expect(await offRamp(grey(two, twoTags))).toBeLessThan(1);
  });

  test('that are transparency are laid on white', async () => {
    const clear = interleaved(4, () => 0);
    const tags = { 258: [8, 8, 8, 8], 262: [2], 277: [4], 338: [2] };
    const { pixels } = await decode(grey(clear, tags));
    expect(new Set(pixels)).toEqual(new Set([255]));
  });

  test('in planes and tiles', async () => {
    const tags = { 258: [8, 8, 8], 262: [2], 277: [3], 284: [2] };
    const picture = { width: side, height: side, chunks: [greys, greys, greys], tileSide: side };
    expect(await offRamp(tiffFile({ ...picture, tags }))).toBeLessThan(1);
  });
});

describe('tiles', () => {
  const tileSide = 32;
  const tile = (left: number) =>
    deflateSync(Buffer.from({ length: tileSide ** 2 }).map((_, i) => ramp(left + (i % tileSide))));
  const picture = {
    ...{ width: side, height: side, tileSide, tags: { 259: [8] } },
    chunks: [tile(0), tile(tileSide), tile(0), tile(tileSide)],
  };

  test('that are all there', async () => {
    expect(await offRamp(tiffFile(picture))).toBeLessThan(1);
  });

  test('that are missing are damage, and not black', async () => {
    const tags = { ...picture.tags, 325: [...picture.chunks.slice(0, 3).map((c) => c.length), 0] };
    expect(await failure(tiffFile({ ...picture, tags }))).toBe(
      'corrupt: TIFF that cannot be decoded: it lacks 1 of its 4 tiles',
    );
    expect(await failure(tiffFile({ ...picture, chunks: picture.chunks.slice(0, 3) }))).toMatch(
      /^corrupt: .* it has 3 of 4 tiles$/,
    );
  });

  test('that lie beyond the end of the file', async () => {
    const tags = { ...picture.tags, 324: [8, 99_999_999, 8, 8] };
    expect(await failure(tiffFile({ ...picture, tags }))).toMatch(/it lacks 1 of its 4 tiles$/);
  });

  test('that are damaged', async () => {
    const damaged = picture.chunks.map((chunk, n) =>
      n === 2 ? Buffer.alloc(chunk.length, 7) : chunk,
    );
    expect(await failure(tiffFile({ ...picture, chunks: damaged }))).toMatch(/^corrupt: TIFF/);
  });

  test.each([
    [34925, 'LZMA'],
    [34887, 'LERC'],
    [34712, 'JPEG 2000'],
    [12345, 'method 12345'],
  ])('compressed by %i are refused by name', async (compression, name) => {
    expect(await failure(tiffFile({ ...picture, tags: { 259: [compression] } }))).toBe(
      `unsupported: a variant of TIFF that is not decoded: compressed with ${name}`,
    );
  });
});

describe('pages', () => {
  const black = { width: 16, height: 16, chunks: [Buffer.alloc(256)] };
  const whole = { width: side, height: side, chunks: [greys] };

  test('the first is taken, though a thumbnail follows', async () => {
    expect(await offRamp(tiffFile(whole, { ...black, tags: { 254: [1] } }))).toBeLessThan(1);
  });

  test('a thumbnail that comes first is passed over', async () => {
    const file = tiffFile({ ...black, tags: { 254: [1] } }, whole);
    expect(await offRamp(file)).toBeLessThan(1);
    expect(await decode(file)).toMatchObject({ width: side, height: side });
  });

  test('a thumbnail that comes before a picture of a rare kind is passed over, too', async () => {
    const chunk = packed(12, (i) => Math.round((rampAt(i) * 4_095) / 255));
    const rare = { ...whole, chunks: [chunk], tags: { 258: [12] } };
    expect(await offRamp(tiffFile({ ...black, tags: { 254: [1] } }, rare))).toBeLessThan(1);
  });

  test('are told to whoever looks, and which of them is taken', async () => {
    const file = tiffFile({ ...black, tags: { 254: [1] } }, whole);
    const found = await lookAtImage({ key: 'page.tif', bytes: file }, spec, {
      pixelsMax: 1e6,
      timeoutMs: 20_000,
    });
    expect(found).toMatchObject({
      format: 'TIFF',
      facts: {
        'page 1': '16×16, grey, 1 × 8 bits unsigned, uncompressed, 1 strip, a smaller version',
        'page 2': `${side}×${side}, grey, 1 × 8 bits unsigned, uncompressed, 1 strip`,
      },
      taken: { decoder: 'libvips', page: 1 },
      outcome: { seen: { width: side, height: side } },
    });
  });

  test('that lead in a circle are looked at once', async () => {
    const file = tiffFile(whole);
    file.writeUInt32LE(file.readUInt32LE(4), file.length - 4);
    expect(await offRamp(file)).toBeLessThan(1);
  });

  test('odd metadata is no damage', async () => {
    expect(await offRamp(grey(greys, { 65000: [7] }))).toBeLessThan(1);
  });
});

describe('a camera’s raw photograph', () => {
  const raw = {
    width: 100,
    height: 100,
    chunks: [Buffer.alloc(20_000)],
    tags: { 258: [16], 262: [32803] },
  };

  test('is seen by its largest preview', async () => {
    const jpeg = (pixels: Uint8Array, size: number) =>
      sharp(pixels, { raw: { width: size, height: size, channels: 1 } })
        .jpeg({ quality: 95 })
        .toBuffer();
    const preview = await jpeg(greys, side);
    const small = await jpeg(Buffer.alloc(256), 16);
    const file = tiffFile(
      { width: 16, height: 16, chunks: [small], tags: { 259: [6], 254: [1] } },
      { width: side, height: side, chunks: [preview], tags: { 259: [7], 254: [1] } },
      raw,
    );
    expect(await offRamp(file)).toBeLessThan(3);
  });

  test('is turned as the camera was held', async () => {
    const bar = Buffer.alloc(64 * 32);
    bar.fill(255, 0, 64 * 8); // along the top, as it lies
    const preview = await sharp(bar, { raw: { width: 64, height: 32, channels: 1 } })
      .jpeg({ quality: 95 })
      .toBuffer();
    const tags = { 259: [6], 254: [1], 274: [6] };
    const file = tiffFile({ width: 64, height: 32, chunks: [preview], tags }, raw);
    const { pixels, width, height } = await decode(file);
    expect([width, height]).toEqual([32, 64]);
    const middle = (side / 2) * side * 3;
    expect(pixels[middle]).toBeLessThan(20); // at the left
    expect(pixels[middle + (side - 1) * 3]).toBeGreaterThan(235); // at the right
  });

  test('is not taken for what the sensor saw, which is a JPEG without loss', async () => {
    const lossless = Buffer.from([
      0xff, 0xd8, 0xff, 0xc3, 0, 11, 8, 0, 1, 0, 1, 1, 1, 17, 0, 0xff, 0xd9,
    ]);
    const file = tiffFile({ width: 9, height: 9, chunks: [lossless], tags: { 259: [7] } }, raw);
    expect(await failure(file)).toMatch(/without a preview/);
  });

  test('without one is refused as what it is', async () => {
    expect(await failure(tiffFile(raw))).toBe(
      'unsupported: a raw photograph, without a preview that could be decoded',
    );
  });
});
