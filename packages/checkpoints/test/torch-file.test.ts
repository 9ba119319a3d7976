import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpoint } from '@cutline/checkpoints/weights';
import { UserError } from '@cutline/shared/errors';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fixture, folderWith, temporaryFolder } from './support/checkpoint-folder.ts';

interface Expected {
  shape: number[];
  type: string;
  data: number[];
}

const various: Record<string, Expected> = JSON.parse(
  await readFile(fixture('various.json'), 'utf8'),
);
const isRead = ({ type }: Expected) => /float/.test(type);

async function open(name: string, as = 'pytorch_model.bin') {
  const checkpoint = await openCheckpoint(await folderWith({ [as]: `fixture:${name}` }));
  onTestFinished(() => checkpoint.close());
  return checkpoint;
}

describe.each([
  ['various.bin', 'pytorch_model.bin'],
  ['various.safetensors', 'model.safetensors'],
])('%s', (name, as) => {
  test('says of every tensor its shape, its type and how much memory it takes', async () => {
    const { tensors, files } = await open(name, as);
    expect(files).toEqual([as]);
    expect([...tensors.keys()].sort()).toEqual(Object.keys(various).sort());
    for (const [tensor, { shape, type, data }] of Object.entries(various)) {
      expect(tensors.get(tensor), tensor).toMatchObject({ shape, type, bytes: 4 * data.length });
    }
  });

  test.each(Object.entries(various).filter(([, expected]) => isRead(expected)))(
    'gives %s as PyTorch does',
    async (tensor, { shape, data }) => {
      const checkpoint = await open(name, as);
      expect(await checkpoint.read(tensor)).toEqual({ shape, data: Float32Array.from(data) });
    },
  );

  test('refuses to read integers, which are no weights', async () => {
    const checkpoint = await open(name, as);
    await expect(checkpoint.read('int64')).rejects.toThrow(/'int64' is of int64/);
    await expect(checkpoint.read('bool')).rejects.toThrow(UserError);
  });

  test('refuses names that it does not have', async () => {
    const checkpoint = await open(name, as);
    await expect(checkpoint.read('float\n32')).rejects.toThrow(/has no tensor 'float\\u000a32'\.$/);
  });
});

test.each(['state-dict.bin', 'protocol-3.bin', 'protocol-4.bin'])(
  '%s: the state of a module, with two names for one storage',
  async (name) => {
    const checkpoint = await open(name);
    expect([...checkpoint.tensors.keys()]).toEqual([
      'position_ids',
      'embeddings.weight',
      'norm.weight',
      'norm.bias',
      'head.weight',
    ]);
    const expected = { shape: [3, 2], data: Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25) };
    expect(await checkpoint.read('embeddings.weight')).toEqual(expected);
    expect(await checkpoint.read('head.weight')).toEqual(expected);
    expect(checkpoint.tensors.get('position_ids')).toMatchObject({ shape: [1, 4], type: 'int64' });
  },
);

test('tensors are read at the same time, each into memory of its own', async () => {
  const checkpoint = await open('state-dict.bin');
  const names = ['embeddings.weight', 'head.weight', 'norm.weight', 'norm.bias'];
  const tensors = await Promise.all(names.map((name) => checkpoint.read(name)));
  expect(new Set(tensors.map(({ data }) => data.buffer)).size).toBe(4);
  expect(tensors.map(({ data }) => data.length)).toEqual([6, 6, 2, 2]);
});

test.each([
  ['legacy.bin', /before 1\.6.*model\.safetensors/],
  ['whole-module.bin', /names '__main__\.Tied', which is no part of a tensor\. Nothing/],
  ['torchscript.bin', /is a program \(TorchScript\)/],
  ['repeated.bin', /shape \[1000\] that repeats 1 numbers: save it with \.contiguous\(\)/],
  ['no-tensors.bin', /holds no tensors by name.*, but 'epoch', 'lr', 'nothing', 'flags'\./],
  ['various.safetensors', /is not a file of torch\.save/],
])('%s is refused in one line that says why', async (name, message) => {
  const error = await open(name).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toContain('\n');
});

describe('damage', () => {
  test('of a byte is found, or changes no number', async () => {
    const bytes = await readFile(fixture('state-dict.bin'));
    const names = ['embeddings.weight', 'norm.weight', 'norm.bias', 'head.weight'];
    const whole = await open('state-dict.bin');
    const expected = await Promise.all(names.map((name) => whole.read(name)));
    const folder = await temporaryFolder();
    let found = 0;
    for (let at = 0; at < bytes.length; at += 2) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 0x41;
      await writeFile(join(folder, 'pytorch_model.bin'), damaged);
      const outcome = await openCheckpoint(folder).then(
        async (checkpoint) => {
          const tensors = Promise.all(names.map((name) => checkpoint.read(name)));
          return tensors.catch((e: unknown) => e).finally(() => checkpoint.close());
        },
        (e: unknown) => e,
      );
      if (outcome instanceof Error) {
        expect(outcome, `byte ${at}`).toBeInstanceOf(UserError);
        found += 1;
      } else {
        expect(outcome, `byte ${at}`).toEqual(expected);
      }
    }
    expect(found).toBeGreaterThan(bytes.length / 6);
  });

  test('of a file that was cut off anywhere is found when it is opened', async () => {
    const bytes = await readFile(fixture('state-dict.bin'));
    const folder = await temporaryFolder();
    for (let length = 0; length < bytes.length; length += 7) {
      await writeFile(join(folder, 'pytorch_model.bin'), bytes.subarray(0, length));
      await expect(openCheckpoint(folder), `${length} bytes`).rejects.toBeInstanceOf(UserError);
    }
  });
});
