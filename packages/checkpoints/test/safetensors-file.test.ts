import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpoint } from '@cutline/checkpoints/weights';
import { UserError } from '@cutline/shared/errors';
import { expect, test } from 'vitest';
import { folderWith } from './support/checkpoint-folder.ts';

/** A file with this header, and so many bytes of data after it. */
function fileOf(header: unknown, dataBytes = 0): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = Buffer.alloc(8 + json.length + dataBytes);
  bytes.writeBigUInt64LE(BigInt(json.length));
  json.copy(bytes, 8);
  return bytes;
}

const entry = (begin: number, end: number, more = {}) => ({
  dtype: 'F32',
  shape: [(end - begin) / 4],
  data_offsets: [begin, end],
  ...more,
});

const open = async (file: Uint8Array) =>
  openCheckpoint(await folderWith({ 'model.safetensors': file }));

test('numbers are read wherever they lie, in pieces, and in every type of weights', async () => {
  const count = 3_000_001; // more than one piece, and not a multiple of it
  const header = {
    odd: { dtype: 'I8', shape: [1], data_offsets: [0, 1] },
    half: { dtype: 'F16', shape: [count], data_offsets: [1, 1 + 2 * count] },
    brain: { dtype: 'BF16', shape: [2], data_offsets: [1 + 2 * count, 5 + 2 * count] },
    __metadata__: { format: 'pt' },
  };
  const file = fileOf(header, 5 + 2 * count);
  const start = file.length - 5 - 2 * count + 1;
  file.writeUInt16LE(0x3c00, start); // 1
  file.writeUInt16LE(0x8001, start + 2 * (count - 1)); // the smallest below 0
  file.writeUInt16LE(0x3f80, start + 2 * count); // 1
  file.writeUInt16LE(0xff80, start + 2 * count + 2); // -Infinity
  const checkpoint = await open(file);
  const { data } = await checkpoint.read('half');
  expect([data[0], data[1], data[count - 1]]).toEqual([1, 0, -(2 ** -24)]);
  expect((await checkpoint.read('brain')).data).toEqual(Float32Array.of(1, -Infinity));
  await checkpoint.close();
});

test('every half becomes the float32 that it is', async () => {
  const file = fileOf({ all: { dtype: 'F16', shape: [65536], data_offsets: [0, 131072] } }, 131072);
  const start = file.length - 131072;
  for (let bits = 0; bits < 65536; bits++) file.writeUInt16LE(bits, start + 2 * bits);
  const checkpoint = await open(file);
  const { data } = await checkpoint.read('all');
  await checkpoint.close();
  expect(
    data.subarray(0x0400, 0x7c00).every((value, i, all) => i === 0 || value > all[i - 1]!),
  ).toBe(true);
  const at = (bits: number) => data[bits];
  expect([at(0x0001), at(0x3555), at(0x7bff), at(0x7c00), at(0xfc00), at(0x8000)]).toEqual([
    2 ** -24,
    0.333251953125,
    65504,
    Infinity,
    -Infinity,
    -0,
  ]);
  expect(at(0x7e00)).toBeNaN();
});

test.each<[string, Buffer, RegExp]>([
  ['nothing', Buffer.alloc(0), /not a safetensors file, or a truncated one \(0 bytes\)/],
  ['a header beyond the file', fileOf('{}').fill(0xff, 0, 8), /truncated one \(10 bytes\)/],
  ['a header that is no JSON', fileOf('{]'), /not a JSON object/],
  ['a header that is a list', fileOf('[]'), /not a JSON object/],
  ['a header that is not UTF-8', fileOf({ x: 1 }).fill(0xff, 10, 11), /not a JSON object/],
  ['a header nested deeply', fileOf('['.repeat(100_000)), /not a JSON object/],
  ['a malformed entry', fileOf({ x: { dtype: 'F32' } }), /entry for 'x' is malformed/],
  ['an entry with more to it', fileOf({ x: entry(0, 4, { code: 'x' }) }, 4), /malformed/],
  ['an entry for __proto__', fileOf('{"__proto__": {"dtype": 1}}'), /'__proto__' is malformed/],
  ['an offset below 0', fileOf({ x: entry(-4, 0) }), /malformed/],
  ['a fraction', fileOf({ x: entry(0, 6) }, 6), /malformed/],
  [
    'an unknown dtype',
    fileOf({ x: entry(0, 4, { dtype: 'F\n4' }) }, 4),
    /dtype 'F\\u000a4', not kn/,
  ],
  [
    'more than it holds',
    fileOf({ x: entry(0, 4e12) }, 4),
    /takes 4000000000000 bytes, but the file/,
  ],
  ['a huge shape', fileOf({ x: entry(0, 4, { shape: [2 ** 40, 2 ** 40] }) }, 4), /takes 4\.8/],
  ['a shape of another size', fileOf({ x: entry(0, 4, { shape: [2] }) }, 4), /takes 8 bytes, but/],
  [
    'a shape of many dimensions',
    fileOf({ x: entry(0, 4, { shape: Array(33).fill(1) }) }, 4),
    /malf/,
  ],
  ['tensors that overlap', fileOf({ a: entry(0, 8), b: entry(4, 12) }, 12), /'b' overlaps another/],
  [
    'two tensors in one place',
    fileOf({ a: entry(0, 4), b: entry(0, 4) }, 4),
    /'b' overlaps another/,
  ],
  ['a gap', fileOf({ a: entry(0, 4), b: entry(8, 12) }, 12), /'b' leaves a gap before it/],
  [
    'bytes behind the last tensor',
    fileOf({ a: entry(0, 4) }, 9),
    /5 bytes at its end belong to no/,
  ],
])('a file with %s is refused in one line', async (_, file, message) => {
  const error = await open(file).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toMatch(/\p{Cc}/u);
});

test('a header that claims to be large is not read, even where the file is large enough', async () => {
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(3_000_000_000n);
  const folder = await folderWith({ 'model.safetensors': start });
  await truncate(join(folder, 'model.safetensors'), 4_000_000_000); // takes no space
  await expect(openCheckpoint(folder)).rejects.toThrow(/its header has 3000000000 bytes, and may/);
});

test('a file that becomes shorter while it is read is said to have become shorter', async () => {
  const folder = await folderWith({ 'model.safetensors': fileOf({ x: entry(0, 400) }, 400) });
  const checkpoint = await openCheckpoint(folder);
  await truncate(join(folder, 'model.safetensors'), 100);
  await expect(checkpoint.read('x')).rejects.toThrow(/became shorter while it was read/);
  await checkpoint.close();
});
