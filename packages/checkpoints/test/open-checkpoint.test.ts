import { execFileSync } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isWeightFile, openCheckpoint } from '@cutline/checkpoints/weights';
import { UserError } from '@cutline/shared/errors';
import { expect, test } from 'vitest';
import { fixture, folderWith, temporaryFolder } from './support/checkpoint-folder.ts';

const index = (weightMap: Record<string, unknown>) => JSON.stringify({ weight_map: weightMap });
const tensors = 'fixture:various.safetensors';
const torch = 'fixture:state-dict.bin';

test('the usual files are taken in their usual order', async () => {
  const all = {
    'model.safetensors': tensors,
    'model.safetensors.index.json': index({ float32: 'a.safetensors', float16: 'b.safetensors' }),
    'a.safetensors': tensors,
    'b.safetensors': tensors,
    'pytorch_model.bin': torch,
    'pytorch_model.bin.index.json': index({ 'norm.bias': 'pytorch_model-1.bin' }),
    'pytorch_model-1.bin': torch,
  };
  const expected = [
    ['model.safetensors'],
    ['a.safetensors', 'b.safetensors'],
    ['pytorch_model.bin'],
    ['pytorch_model-1.bin'],
  ];
  const left: Record<string, string> = { ...all };
  for (const [step, files] of expected.entries()) {
    const checkpoint = await openCheckpoint(await folderWith(left));
    expect(checkpoint.files).toEqual(files);
    await checkpoint.close();
    delete left[Object.keys(all)[[0, 1, 4, 5][step]!]!];
  }
});

test('shards are one checkpoint: what the index names, wherever it lies', async () => {
  const folder = await folderWith({
    'pytorch_model.bin.index.json': index({ float32: 'a.bin', 'norm.weight': 'b.bin' }),
    'a.bin': 'fixture:various.bin',
    'b.bin': torch,
  });
  const checkpoint = await openCheckpoint(folder);
  expect([...checkpoint.tensors.keys()]).toEqual(['float32', 'norm.weight']);
  expect((await checkpoint.read('norm.weight')).data).toEqual(Float32Array.of(1, 1));
  expect((await checkpoint.read('float32')).shape).toEqual([2, 3]);
  await expect(checkpoint.read('float16')).rejects.toThrow(/has no tensor 'float16'/);
  await checkpoint.close();
});

test('links are followed: in the cache of the hub, all files are links', async () => {
  const folder = await temporaryFolder();
  await symlink(fixture('state-dict.bin'), join(folder, 'pytorch_model.bin'));
  const checkpoint = await openCheckpoint(folder);
  expect(checkpoint.tensors.size).toBe(5);
  await checkpoint.close();
});

const indexName = 'model.safetensors.index.json';

test.each<[string, Record<string, string>, RegExp]>([
  [
    'no weights',
    { 'config.json': '{}' },
    /none of model\.safetensors, model\.safetensors\.index\.json, pytorch_model\.bin, pytorch_mo/,
  ],
  ['an index without a map', { [indexName]: '{}' }, /should have a "weight_map"/],
  ['an index that is no JSON', { [indexName]: '{' }, /index\.json is not JSON: /],
  ['an empty index', { [indexName]: index({}) }, /names 0 files/],
  ['a shard outside', { [indexName]: index({ x: '../a.safetensors' }) }, /'\.\.\/a\.safetensors'/],
  ['a shard elsewhere', { [indexName]: index({ x: '/etc/passwd' }) }, /names the file '\/etc\/pas/],
  ['a shard of NUL', { [indexName]: index({ x: 'a\0.safetensors' }) }, /'a\\u0000\.safetensors'/],
  ['a shard that is none', { [indexName]: index({ x: 3 }) }, /should have a "weight_map"/],
  [
    'a missing shard',
    { [indexName]: index({ x: 'a.safetensors' }) },
    /a\.safetensors cannot be read/,
  ],
  [
    'an index that disagrees',
    { [indexName]: index({ x: 'a.safetensors' }), 'a.safetensors': tensors },
    /says that 'x' is in a\.safetensors, but it is not/,
  ],
])('%s is said in one line', async (_, files, message) => {
  const error = await openCheckpoint(await folderWith(files)).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toMatch(/\p{Cc}/u);
});

test('what is not a regular file is not opened: a pipe would be waited for', async () => {
  const folder = await temporaryFolder();
  execFileSync('mkfifo', [join(folder, 'pipe.bin')]);
  await mkdir(join(folder, 'folder.bin'));
  for (const name of ['pipe.bin', 'folder.bin']) {
    const files = { 'pytorch_model.bin.index.json': index({ x: name }) };
    const other = await folderWith(files);
    await symlink(join(folder, name), join(other, name));
    await expect(openCheckpoint(other)).rejects.toThrow(/is not a regular file/);
  }
});

test.each([
  [['model.safetensors', 'pytorch_model.bin', 'config.json'], ['model.safetensors']],
  [['pytorch_model.bin', 'tf_model.h5', 'flax_model.msgpack'], ['pytorch_model.bin']],
  [
    [
      'a.safetensors',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
      'pytorch_model.bin',
    ],
    [
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ],
  ],
  [
    [
      'pytorch_model-00001-of-00001.bin',
      'pytorch_model.bin.index.json',
      'onnx/model.onnx',
      'sub/pytorch_model-00001-of-00001.bin',
    ],
    ['pytorch_model-00001-of-00001.bin', 'pytorch_model.bin.index.json'],
  ],
  [['config.json'], []],
])('of %j, the weights are %j', (names, weights) => {
  expect(names.filter((name) => isWeightFile(name, names))).toEqual(weights);
});
