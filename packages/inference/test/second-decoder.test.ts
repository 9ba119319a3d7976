import { decodeImage } from '@cutline/inference';
import { ImageError } from '@cutline/shared/errors';
import { expect, test } from 'vitest';

/** What sharp does not decode, in its own thread, with its own limits. */

const spec = { width: 8, height: 8, fit: 'squash', kernel: 'cubic' } as const;
const limits = { pixelsMax: 30e6, timeoutMs: 20_000 };

const decode = (bytes: Buffer, own = limits) => decodeImage(bytes, spec, own);
const failure = (bytes: Buffer, own = limits) =>
  decode(bytes, own).then(
    () => 'captioned',
    (error) => {
      if (!(error instanceof ImageError)) throw error;
      return `${error.failureClass}: ${error.message}`;
    },
  );

/** Binary PNM of one colour. */
function pnm(width: number, height: number, colour: readonly [number, number, number]): Buffer {
  const pixels = Buffer.alloc(width * height * 3);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colour[i % 3] ?? 0;
  return Buffer.concat([Buffer.from(`P6\n# made by hand\n${width} ${height}\n255\n`), pixels]);
}

/** Uncompressed, bottom row first, blue before red. */
function bmp(width: number, height: number, [r, g, b]: readonly [number, number, number]): Buffer {
  const row = Math.ceil((width * 3) / 4) * 4;
  const bytes = Buffer.alloc(54 + row * height);
  bytes.write('BM');
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) bytes.set([b, g, r], 54 + y * row + x * 3);
  }
  return bytes;
}

const colour = [200, 100, 50] as const;

test.each([
  ['PNM', pnm(31, 17, colour)],
  ['BMP', bmp(31, 17, colour)],
  ['PNM in text', Buffer.from(`P3 2 1 255 ${[...colour, ...colour].join(' ')}\n`)],
])('%s is seen', async (name, bytes) => {
  const { pixels, width, height } = await decode(bytes);
  expect([...pixels.subarray(0, 3)]).toEqual([...colour]);
  expect([width, height]).toEqual(name === 'PNM in text' ? [2, 1] : [31, 17]);
});

test('text that begins like PNM is text', async () => {
  expect(await failure(Buffer.from('P6 is a format for images.'))).toMatch(/seems to be text/);
});

test.each([
  ['a size of 0 in its header', (bytes: Buffer) => bytes.writeUInt32LE(0, 2)],
  ['a size that is too large', (bytes: Buffer) => bytes.writeUInt32LE(999_999, 2)],
  ['reserved bytes that are not 0', (bytes: Buffer) => bytes.writeUInt32LE(0x01020304, 6)],
])('BMP with %s is sound', async (_, change) => {
  const bytes = bmp(31, 17, colour);
  change(bytes);
  expect((await decode(bytes)).pixels.subarray(0, 3)).toEqual(Uint8Array.from(colour));
});

test('comments may stand anywhere in the header of PNM', async () => {
  const bytes = Buffer.from(
    `P3\n# one\n2 # two\n1\n# three\n255\n${[...colour, ...colour].join(' ')}\n`,
  );
  expect(await decode(bytes)).toMatchObject({ width: 2, height: 1 });
});

/** A Photoshop document of 1 pixel; version information says whether it has its picture. */
function psd({ mode = 3, isMerged = true }): Buffer {
  const bytes = Buffer.alloc(68);
  bytes.write('8BPS', 'latin1');
  bytes.writeUInt16BE(1, 4);
  for (const [at, value] of [
    [12, 3],
    [22, 8],
    [24, mode],
    [42, 1057],
  ] as const) {
    bytes.writeUInt16BE(value, at);
  }
  for (const [at, value] of [
    [14, 1],
    [18, 1],
    [34, 26],
    [46, 13],
    [50, 1],
  ] as const) {
    bytes.writeUInt32BE(value, at);
  }
  bytes.write('8BIM', 38, 'latin1');
  bytes[54] = isMerged ? 1 : 0;
  bytes.writeUInt32BE(0, 64);
  return Buffer.concat([
    bytes.subarray(0, 34 - 4),
    bytes.subarray(34),
    Buffer.from([0, 0, ...colour]),
  ]);
}

test('a Photoshop document without its picture is refused by name', async () => {
  expect((await decode(psd({}))).pixels.subarray(0, 3)).toEqual(Uint8Array.from(colour));
  expect(await failure(psd({ isMerged: false }))).toBe(
    'unsupported: a variant of a Photoshop document that is not decoded: saved without its merged picture',
  );
  expect(await failure(psd({ mode: 7 }))).toMatch(/^unsupported: .* of many channels/);
});

test.each([
  ['in CMYK', ['1×1'], 12],
  ['whose components are sampled 2×2, 2×2', ['2×2', '2×2'], 16],
  ['whose components are sampled 1×1, 2×2', ['1×1', '2×2'], undefined],
])('JPEG 2000 %s is refused by name', async (variant, steps, colours) => {
  const boxes = Buffer.from('\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x0fcolr\x01\0\0\0\0\0', 'latin1');
  const siz = Buffer.alloc(42 + steps.length * 3);
  siz.writeUInt32BE(0xff4fff51);
  siz.writeUInt16BE(steps.length, 40);
  for (const [n, step] of steps.entries()) {
    siz.set([7, ...step.split('×').map(Number)], 42 + n * 3);
  }
  const head = colours === undefined ? [] : [boxes, Buffer.from([colours])];
  expect(await failure(Buffer.concat([...head, siz]))).toBe(
    `unsupported: a variant of JPEG 2000 that is not decoded: ${variant}`,
  );
});

test('sizes are of the whole image, though it is made smaller on the way', async () => {
  expect(await decode(pnm(5_000, 100, colour))).toMatchObject({ width: 5_000, height: 100 });
});

test('one of more pixels than are accepted is refused by its header', async () => {
  expect(await failure(bmp(31, 17, colour), { ...limits, pixelsMax: 500 })).toBe(
    'too-large: 31×17 is 527 pixels; at most 500 are accepted',
  );
});

test('a header that promises more than there is harms nobody', async () => {
  expect(await failure(Buffer.from('P6 60000 60000 255\n'))).toMatch(/^(corrupt|too-large): /);
  const bomb = bmp(1, 1, colour);
  bomb.writeInt32LE(60_000, 18);
  bomb.writeInt32LE(60_000, 22);
  expect(await failure(bomb)).toMatch(/^(corrupt|too-large): /);
});

test('one that is cut short is corrupt', async () => {
  expect(await failure(bmp(31, 17, colour).subarray(0, 400))).toMatch(/^corrupt: BMP/);
});

test('one that takes too long is given up, and the next is decoded', async () => {
  const large = pnm(5_000, 5_000, colour);
  expect(await failure(large, { ...limits, timeoutMs: 1 })).toBe(
    'timeout: decoding took longer than 1 ms',
  );
  expect(await decode(pnm(3, 3, colour))).toMatchObject({ width: 3 });
});

test('while one waits for its turn, its time does not pass', async () => {
  const large = pnm(1_500, 1_000, colour);
  await decode(large); // the thread is there
  const started = performance.now();
  await decode(large);
  const timeoutMs = 4 * Math.ceil(performance.now() - started);
  const all = Array.from({ length: 8 }, () => failure(large, { ...limits, timeoutMs }));
  expect(await Promise.all(all)).toEqual(Array(8).fill('captioned'));
});

test('bytes of chance after a good beginning harm nobody', async () => {
  const heads = ['8BPS\0\x01', '\0\0\0\x0cjP  \r\n\x87\n', '\xff\x0a', 'BM\0\0\0\0\0\0\0\0'];
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 24;
  };
  for (const head of heads) {
    const noise = Buffer.from(Array.from({ length: 3_000 }, random));
    const bytes = Buffer.concat([Buffer.from(head, 'latin1'), noise]);
    expect(await failure(bytes)).toMatch(/^(corrupt|unsupported|too-large): /);
  }
});
