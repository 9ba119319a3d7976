import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  assembleTokenizer,
  convertCheckpoint,
  createEngine,
  parseModelBundle,
  parseTokenizer,
  resizePositions,
} from '@cutline/captioner';
import { describe, expect, test } from 'vitest';
import {
  checkpointOf,
  fileOf,
  json,
  publishedFolder,
  readFolder,
} from './support/published-files.ts';

/** What conversion does beside renaming: other sizes of images, and vocabularies in older files. */

interface OtherSizes {
  positions: { grid: [number, number]; values: number[] }[];
  encoders: Record<string, { side: number; first: number[] }>;
}

const fixture = new URL('./fixtures/other-sizes.json', import.meta.url);
const reference: OtherSizes = JSON.parse(readFileSync(fixture, 'utf8'));
const families = ['blip', 'git', 'vitgpt2'];

test.each(reference.positions)('positions of 3×3 patches become $grid', ({ grid, values }) => {
  const given = Float32Array.from({ length: 20 }, (_, n) => ((7 * n * n + 3 * n) % 19) / 19);
  const resized = resizePositions(given, 2, grid);
  expect(resized).toHaveLength(values.length);
  for (const [at, value] of values.entries()) expect(resized[at]).toBeCloseTo(value, 5);
});

test('positions of a grid become those of the same grid', () => {
  const given = Float32Array.from({ length: 20 }, (_, n) => n / 7);
  expect(resizePositions(given, 2, [3, 3])).toEqual(given);
});

const name = existsSync(publishedFolder)
  ? 'published checkpoints'
  : `NOT TESTED: ${fileURLToPath(publishedFolder)} is not there`;
describe.skipIf(!existsSync(publishedFolder))(name, () => {
  const open = (family: string) => readFolder(new URL(`${family}/`, publishedFolder));
  const origin = (family: string) => ({ name: family, licence: 'CC0-1.0', provenance: 'tiny' });

  test.each(families)('%s sees images of another size as the reference does', async (family) => {
    const { side, first } = reference.encoders[family] ?? { side: 0, first: [] };
    const checkpoint = { ...checkpointOf(open(family)), imageSize: side };
    const bundle = parseModelBundle(await convertCheckpoint(checkpoint, origin(family)));
    expect(bundle.description.preprocessing).toMatchObject({ width: side, height: side });
    const { engine } = await createEngine('onnx', { device: 'cpu' });
    const encoder = await engine.loadExactEncoder(bundle);
    const pixels = Float32Array.from({ length: side * side * 3 }, (_, at) => {
      const [x, y, channel] = [Math.floor(at / 3) % side, Math.floor(at / 3 / side), at % 3];
      return (7 * x + 13 * y + 50 * channel) % 256;
    });
    const features = await encoder.encode(pixels, 1);
    expect(features).toHaveLength((1 + (side / 16) ** 2) * first.length);
    for (const [at, value] of first.entries()) {
      expect(Math.abs((features[at] as number) - value)).toBeLessThan(2e-4);
    }
    engine.dispose();
  });

  test('a size that patches do not fill is refused, and the next ones are named', async () => {
    const checkpoint = { ...checkpointOf(open('blip')), imageSize: 100 };
    await expect(convertCheckpoint(checkpoint, origin('blip'))).rejects.toThrow(
      'images of 100 pixels cannot be cut into patches of 16: 96 and 112 pixels can',
    );
  });

  test('positions of another size than the configuration says are refused', async () => {
    const files = open('blip');
    const checkpoint = checkpointOf(files);
    const config = structuredClone(checkpoint.config) as { vision_config: { image_size: number } };
    config.vision_config.image_size = 96;
    await expect(
      convertCheckpoint({ ...checkpoint, config, imageSize: 64 }, origin('blip')),
    ).rejects.toThrow(/position_embedding' \[1,17,32\] should have 1184 values/);
  });

  test.each(families)('%s: a vocabulary in parts says what tokenizer.json says', (family) => {
    const files = open(family);
    const { model } = json(files, 'tokenizer.json') as {
      model: { vocab: Record<string, number>; merges?: [string, string][] };
    };
    const inOrder = Object.entries(model.vocab).sort(([, a], [, b]) => a - b);
    const parts = model.merges
      ? {
          'vocab.json': JSON.stringify(model.vocab),
          'merges.txt': `#version: 0.2\n${model.merges.map((pair) => pair.join(' ')).join('\n')}\n`,
        }
      : {
          'vocab.txt': `${inOrder.map(([word]) => word).join('\n')}\n`,
          ...(family === 'blip' && { 'added_tokens.json': '{"[DEC]":132,"[ENC]":133}' }),
        };
    const assembled = assembleTokenizer(parts, json(files, 'tokenizer_config.json'));
    const description = { size: inOrder.length + 2, start: 0, end: 0, cleanUp: false };
    const whole = parseTokenizer(fileOf(files, 'tokenizer.json'), description, 'whole');
    const put = parseTokenizer(assembled ?? new Uint8Array(), description, 'assembled');
    const { texts, decode } = json(files, 'expected.json') as {
      texts: { text: string; ids: number[] }[];
      decode: { text: string; ids: number[] }[];
    };
    expect(texts.length).toBeGreaterThan(0);
    for (const { text, ids } of texts) {
      const said = family === 'vitgpt2' ? ids : ids.slice(1, -1); // [CLS] and [SEP]
      expect(put.read(text), text).toEqual(said);
    }
    for (const { text, ids } of decode) expect(put.spell(ids)).toBe(text.trim());
    for (const text of ['Café  au lait!', '東京 tower', "it's [SEP] the end", 'naïve\tx']) {
      expect(put.read(text), text).toEqual(whole.read(text));
    }
  });
});

test.each([
  ['a merge of three', { 'vocab.json': '{"a":0}', 'merges.txt': 'a b c\n' }, 'merges.txt: "a b c"'],
  ['numbers that are none', { 'vocab.json': '{"a":"b"}', 'merges.txt': '' }, 'vocab.json: a: '],
  ['no JSON', { 'vocab.txt': 'a', 'added_tokens.json': '{' }, 'added_tokens.json: not JSON'],
])('%s is refused by the name of its file', (_, parts, message) => {
  expect(() => assembleTokenizer(parts, undefined)).toThrow(message);
});

test('half of a vocabulary is none', () => {
  expect(assembleTokenizer({ 'vocab.json': '{"a":0}' }, undefined)).toBeUndefined();
});
