import { execFile } from 'node:child_process';
import { open, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { folderWith, temporaryFolder } from './support/checkpoint-folder.ts';
import { dict, int, op, pickle, tensor, text } from './support/pickle-code.ts';
import { zipArchive } from './support/zip-archive.ts';

/** How much memory opening and reading takes, in processes that have no more. */

const heapMegabytes = 256;
/** Of Node.js itself; and of the process that started it, which counts where memory is measured. */
const idleBytes = 300e6;

interface Outcome {
  counts?: number[];
  tensors?: number;
  error?: string;
  message?: string;
  peakBytes: number;
}

async function openInChild(folder: string, ...names: string[]): Promise<Outcome> {
  const script = fileURLToPath(new URL('support/open-in-child.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    `--max-old-space-size=${heapMegabytes}`,
    script,
    folder,
    ...names,
  ]);
  return JSON.parse(stdout);
}

test('a file of 3 GB is opened and read tensor by tensor', async () => {
  const bytes = 3e9;
  const header = JSON.stringify({
    small: { dtype: 'BF16', shape: [1000], data_offsets: [0, 2000] },
    large: { dtype: 'F32', shape: [(bytes - 4000) / 4], data_offsets: [2000, bytes - 2000] },
    half: { dtype: 'F16', shape: [1000], data_offsets: [bytes - 2000, bytes] },
  });
  const start = Buffer.alloc(8 + header.length);
  start.writeBigUInt64LE(BigInt(header.length));
  start.write(header, 8);
  const folder = await folderWith({ 'model.safetensors': start });
  await truncate(join(folder, 'model.safetensors'), start.length + bytes); // takes no space
  const { counts, peakBytes } = await openInChild(folder, 'half', 'small');
  expect(counts).toEqual([1000, 1000]);
  expect(peakBytes).toBeLessThan(idleBytes);
});

test('a tensor takes its bytes as float32, and little besides', async () => {
  const count = 50e6;
  const header = JSON.stringify({
    x: { dtype: 'F16', shape: [count], data_offsets: [0, 2 * count] },
  });
  const start = Buffer.alloc(8 + header.length);
  start.writeBigUInt64LE(BigInt(header.length));
  start.write(header, 8);
  const folder = await folderWith({ 'model.safetensors': start });
  await truncate(join(folder, 'model.safetensors'), start.length + 2 * count);
  const { counts, peakBytes } = await openInChild(folder, 'x');
  expect(counts).toEqual([count]);
  expect(peakBytes - 4 * count).toBeLessThan(idleBytes + 100e6);
});

test('an archive of more than 4 GB is read where its directory says', async () => {
  const data = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
  const code = { name: 'm/data.pkl', contents: pickle(dict(text('x'), tensor())) };
  const folder = await temporaryFolder();
  // The directory moves to behind a hole of 5 GB, which belongs to no entry.
  const hole = 5e9;
  const moved = zipArchive([code, { name: 'm/data/0', contents: data, claims: { zip64: true } }], {
    zip64: true,
    directoryOffset: hole,
  });
  const directoryAt = moved.indexOf('PK\x01\x02', 0, 'latin1');
  const tail = Buffer.from(moved.subarray(directoryAt));
  const locator = tail.indexOf('PK\x06\x07', 0, 'latin1');
  tail.writeBigUInt64LE(BigInt(hole + tail.indexOf('PK\x06\x06', 0, 'latin1')), locator + 8);
  const file = await open(join(folder, 'pytorch_model.bin'), 'w');
  await file.write(moved.subarray(0, directoryAt), 0);
  await file.write(tail, 0, tail.length, hole);
  await file.close();
  const { counts, peakBytes } = await openInChild(folder, 'x');
  expect(counts).toEqual([4]);
  expect(peakBytes).toBeLessThan(idleBytes);
});

const numbers = { name: 'm/data/0', contents: Buffer.alloc(16) };
const times = (count: number, code: (i: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, i) => code(i)));
const keys = times(200_000, (i) => Buffer.concat([text(`${i}`), op('N')]));
const memos = times(300_000, (i) => Buffer.concat([op('r'), int(i).subarray(2, 6)]));

test.each<[string, Buffer, RegExp]>([
  ['lists', pickle(op(']'.repeat(16e6))), /more than 1000000 instructions/],
  ['dictionaries', pickle(op('}'.repeat(16e6))), /more than 1000000 instructions/],
  ['memos', pickle(op('N'), memos, op('N'.repeat(9e5))), /more than 1000000 instructions/],
  ['marks', pickle(op('('.repeat(16e6))), /more than 1000000 instructions/],
  ['doublings', pickle(op(')'), op('q\x00h\x00\x86'.repeat(300_000))), /nested more than 32 deep/],
  ['keys', pickle(dict(keys)), /holds no tensors by name, as a state_dict\(\) does, but '0', '1'/],
  ['text', pickle(text('x'.repeat(16e6)), op('0')), /the instruction POP/],
])('a pickle of many %s is refused in bounded memory', async (_, code, message) => {
  const archive = zipArchive([{ name: 'm/data.pkl', contents: code }, numbers]);
  const outcome = await openInChild(await folderWith({ 'pytorch_model.bin': archive }));
  expect(outcome.error).toBe('UserError');
  expect(outcome.message).toMatch(message);
  expect(outcome.peakBytes).toBeLessThan(500e6);
});

test('an archive of many entries, and a header of many tensors, are read in bounded memory', async () => {
  const many = Array.from({ length: 20_000 }, (_, i) => ({
    name: `m/data/${i}`,
    contents: Buffer.alloc(0),
  }));
  const code = { name: 'm/data.pkl', contents: pickle(dict(text('x'), tensor({ key: 'y' }))) };
  const archive = zipArchive([code, ...many], { zip64: true });
  const ofArchive = await openInChild(await folderWith({ 'pytorch_model.bin': archive }));
  expect(ofArchive.message).toMatch(/storage of 'x' should have 16 bytes, and is missing/);
  expect(ofArchive.peakBytes).toBeLessThan(500e6);

  const header = Object.fromEntries(
    Array.from({ length: 100_000 }, (_, i) => [
      i,
      { dtype: 'F32', shape: [0], data_offsets: [0, 0] },
    ]),
  );
  const json = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(json.length));
  const file = Buffer.concat([start, json]);
  const ofHeader = await openInChild(await folderWith({ 'model.safetensors': file }));
  expect(ofHeader.tensors).toBe(100_000);
  expect(ofHeader.peakBytes).toBeLessThan(500e6);
});
