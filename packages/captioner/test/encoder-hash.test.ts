import { encoderHash, type ModelDescription, parseModelDescription } from '@cutline/captioner';
import { expect, test } from 'vitest';
import { tinyBundleFiles } from './support/tiny-model.ts';

/** What features depend on has one hash; models with the same decode each other's. */

const words = ['a', 'boat'];

function describe(...[family, more, ...rest]: Parameters<typeof tinyBundleFiles>) {
  const json = tinyBundleFiles(family, more, ...rest).get('model.json') as Uint8Array;
  return parseModelDescription(json);
}

const model = describe('show-attend-tell', words);
const { files, preprocessing, encoder, features, decoding } = model;
const weights = { ...files['encoder.safetensors'], sha256: '0'.repeat(64) };

test('another decoder, vocabulary, name or way to search is no other encoder', () => {
  expect(encoderHash(describe('lrcn', ['a', 'dog', 'two']))).toBe(encoderHash(model));
  const renamed = { ...model, name: 'renamed', decoding: { ...decoding, beamSize: 7 }, scores: [] };
  expect(encoderHash(renamed)).toBe(encoderHash(model));
});

test.each<[string, Partial<ModelDescription>]>([
  ['weights', { files: { ...files, 'encoder.safetensors': weights } }],
  ['image size', { preprocessing: { ...preprocessing, width: 12 } }],
  ['normalisation', { preprocessing: { ...preprocessing, mean: [0.1, 0.2, 0.3] } }],
  ['precision', { encoder: { ...encoder, precision: 'int8' } }],
  ['cut', { features: { ...features, cut: 'projection' } }],
])('other %s are', (_, change) => {
  expect(encoderHash({ ...model, ...change })).not.toBe(encoderHash(model));
});

test('behind the projection, the decoder’s family belongs to it', () => {
  const projected = { ...model, features: { ...features, cut: 'projection' as const } };
  const other = { ...projected, decoder: { ...model.decoder, family: 'lrcn' } };
  expect(encoderHash(other)).not.toBe(encoderHash(projected));
});
