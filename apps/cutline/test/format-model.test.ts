import { defaultBundleFolder, describeBundle } from '@cutline/inference';
import { expect, test } from 'vitest';
import { formatModel } from '../dist/terminal/format-model.js';

const model = await describeBundle(defaultBundleFolder());

test('a model is shown with its parts, their sizes, and what they take', () => {
  const lines = formatModel(model).split('\n');
  expect(lines[0]).toBe(model.id);
  expect(lines.slice(3, 11)).toEqual([
    '  encoder    mobilenet-v2, 224×224 pixels',
    '             2.9 million parameters: stem 32, head 1,280',
    '  features   49 locations × 512 channels, float16: 50,176 bytes an image, cut at the decoder’s projection',
    '  decoder    show-attend-tell, 2,717 words',
    '             4.9 million parameters: annotation 512, attention 256, embedding 300, hidden 512',
    '  decoding   beam size 5, 5 candidates, at most 16 words, length penalty 0.7',
    '  precision  computes in float32; weights are stored in float16',
    expect.stringMatching(/^ {2}memory {5}about 0\.2 GB to encode and 0\.2 GB to decode one image/),
  ]);
  expect(lines.join('\n')).not.toContain('speed');
});

test('licence and origin stand once where both halves share them; a trial says what was tried', () => {
  const { description } = model;
  const published = {
    ...model,
    description: {
      ...description,
      encoder: { ...description.encoder, precision: 'int8' as const },
      vocabulary: { size: 2717, start: 101, end: 102, cleanUp: true },
      licence: { encoder: 'MIT', decoder: 'MIT' },
      provenance: { encoder: 'a hub (abc)', decoder: 'a hub (abc)' },
    },
  };
  const trial = { encodeSeconds: 0.0042, decodeSeconds: 1.234, words: 10, beamSize: 3 };
  const text = formatModel(published, undefined, trial);
  expect(text.match(/MIT/g)).toHaveLength(1);
  expect(text.match(/a hub \(abc\)/g)).toHaveLength(1);
  expect(text).toContain('show-attend-tell, 2,717 tokens, from 101 to 102\n');
  expect(text).toContain('  precision  encodes in int8, decodes in float32;');
  expect(text).toContain(
    '  speed      an image took one thread here 0.004 s to encode and 1.23 s to decode (10 tokens, beam size 3)\n',
  );
  expect(formatModel(published, undefined, { notTried: 'no memory' })).toContain(
    '  speed      not tried here: no memory\n',
  );
});
