import { createHash } from 'node:crypto';
import {
  formatModelBundle,
  formatSafetensors,
  fromFloat16,
  modelId,
  parseDecoderBundle,
  parseEncoderBundle,
  parseModelBundle,
  parseModelDescription,
  parseSafetensors,
  toFloat16,
} from '@cutline/captioner';
import { describe, expect, it } from 'vitest';
import { familyNames, tinyBundleFiles } from './support/tiny-model.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever a broken model.json may hold
type Json = Record<string, any>;

const bundle = () => new Map<string, Uint8Array>(tinyBundleFiles('show-attend-tell', ['a', 'dog']));

/** The bundle with a changed model.json. */
function withDescription(change: (json: Json) => void): Map<string, Uint8Array> {
  const files = bundle();
  const json = JSON.parse(Buffer.from(files.get('model.json') as Uint8Array).toString()) as Json;
  change(json);
  return files.set('model.json', Buffer.from(JSON.stringify(json)));
}

/** The bundle with another file, whose hash model.json knows. */
function withFile(name: string, bytes: Uint8Array): Map<string, Uint8Array> {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return withDescription((json) => {
    json.files[name] = { bytes: bytes.length, sha256 };
  }).set(name, bytes);
}

function withWeights(name: string, change: (weights: ReturnType<typeof parseSafetensors>) => void) {
  const weights = parseSafetensors(bundle().get(name) as Uint8Array, name);
  change(weights);
  return withFile(name, formatSafetensors(weights));
}

describe('a model bundle', () => {
  it.each(familyNames)('of family %s comes back as it was written', (family) => {
    const files = tinyBundleFiles(family, ['a', 'dog']);
    const model = parseModelBundle(files);
    expect(formatModelBundle({ ...model, description: withoutDerived(model.description) })).toEqual(
      files,
    );
  });

  it.each(familyNames)(
    'of family %s, comes back from float16 rounded, and the same from then on',
    (family) => {
      const whole = parseModelBundle(tinyBundleFiles(family, ['a', 'dog']));
      const { description, ...parts } = whole;
      const again = { ...parts, description: withoutDerived(description) };
      const files = formatModelBundle(again, 'float16');
      const found = parseModelBundle(files);
      for (const half of ['encoder', 'decoder'] as const) {
        expect([...found[half].keys()]).toEqual([...whole[half].keys()]);
        for (const [name, { shape, data }] of whole[half]) {
          const rounded = { shape, data: fromFloat16(toFloat16(data)) };
          expect(found[half].get(name), name).toEqual(rounded);
        }
      }
      expect(found.id).not.toBe(whole.id);
      expect(formatModelBundle({ ...found, description: again.description }, 'float16')).toEqual(
        files,
      );
    },
  );

  it('is not made in float16 of weights that this cannot hold', () => {
    const { description, ...parts } = parseModelBundle(bundle());
    const encoder = new Map(parts.encoder);
    encoder.set('head.bias', { shape: [5], data: new Float32Array(5).fill(70_000) });
    const again = { ...parts, encoder, description: withoutDerived(description) };
    expect(() => formatModelBundle(again, 'float16')).toThrow(
      "encoder.safetensors: 'head.bias' [5] has values that are not finite",
    );
    formatModelBundle(again);
  });

  it('loads each half without the files of the other', () => {
    const files = bundle();
    const encoderOnly = new Map(files);
    encoderOnly.delete('decoder.safetensors');
    encoderOnly.delete('vocabulary.txt');
    const decoderOnly = new Map(files);
    decoderOnly.delete('encoder.safetensors');
    expect(parseEncoderBundle(encoderOnly).id).toBe(parseDecoderBundle(decoderOnly).id);
    expect(() => parseModelBundle(encoderOnly)).toThrow('vocabulary.txt: missing from');
  });

  it('is identified by model.json alone, whatever its white space and order of keys', () => {
    const description = parseModelDescription(bundle().get('model.json') as Uint8Array);
    expect(modelId(description)).toMatch(/^tiny-show-attend-tell@[0-9a-f]{12}$/);
    const reordered = withDescription((json) => {
      const name = json.name;
      delete json.name;
      json.name = name;
    });
    expect(parseModelBundle(reordered).id).toBe(modelId(description));
  });

  it('has another id when any of its content is another', () => {
    const id = parseModelBundle(bundle()).id;
    const otherWeights = withWeights('decoder.safetensors', (weights) => {
      (weights.get('gate.bias') as { data: Float32Array }).data[0] = 0.5;
    });
    const otherMean = withDescription((json) => {
      json.preprocessing.mean = [0, 0, 0];
    });
    expect(
      new Set([id, parseModelBundle(otherWeights).id, parseModelBundle(otherMean).id]).size,
    ).toBe(3);
  });

  it.each<[string, () => Map<string, Uint8Array>, string | RegExp]>([
    ['no model.json', () => new Map(), 'model.json: missing from the model bundle'],
    ['no JSON', () => bundle().set('model.json', Buffer.from('{')), 'model.json: not JSON'],
    [
      'an unknown key',
      () => withDescription((json) => Object.assign(json, { colour: 'red' })),
      /^model.json: .*"colour"/,
    ],
    [
      'another format version',
      () => withDescription((json) => Object.assign(json, { formatVersion: 1 })),
      /^model.json: formatVersion: .*2/,
    ],
    [
      'an unknown encoder family',
      () => withDescription((json) => Object.assign(json.encoder, { family: 'vgg' })),
      "model.json: encoder.family should be one of mobilenet-v2, vit, and is 'vgg'",
    ],
    [
      'an unknown decoder family',
      () => withDescription((json) => Object.assign(json.decoder, { family: 'x' })),
      /^model.json: decoder.family should be one of show-and-tell, lrcn, show-attend-tell, blip, gpt2, git, and is 'x'/,
    ],
    [
      'sizes of another family',
      () => withDescription((json) => Object.assign(json.decoder, { sizes: { image: 3 } })),
      /^model.json: decoder.sizes: annotation: /,
    ],
    [
      'features that the encoder does not give',
      () => withDescription((json) => Object.assign(json.features, { shape: [49, 5] })),
      /^model.json: features.shape should be \[9,5\] \(.*, cut at the feature-map\), and is \[49,5\]/,
    ],
    [
      'features from before the projection, where the cut is behind it',
      () =>
        withDescription((json) => Object.assign(json.features, { cut: 'projection' })).set(
          'decoder.safetensors',
          bundle().get('decoder.safetensors') as Uint8Array,
        ),
      /^encoder.safetensors: 'annotation.kernel' \[5,5\] is missing/,
    ],
    [
      'default options that contradict each other',
      () => withDescription((json) => Object.assign(json.decoding, { candidates: 4 })),
      'model.json: decoding.candidates: candidates must be at most beamSize',
    ],
    [
      'a truncated file',
      () => bundle().set('encoder.safetensors', new Uint8Array(9)),
      /^encoder.safetensors: should have \d+ bytes, and has 9 \(incomplete copy\?\)/,
    ],
    [
      'a changed bit',
      () => {
        const bytes = Uint8Array.from(bundle().get('decoder.safetensors') as Uint8Array);
        bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
        return bundle().set('decoder.safetensors', bytes);
      },
      /^decoder.safetensors: should have SHA-256 [0-9a-f]{64}, and has [0-9a-f]{64}/,
    ],
    [
      'a missing weight',
      () => withWeights('decoder.safetensors', (weights) => weights.delete('gate.kernel')),
      "decoder.safetensors: 'gate.kernel' [6,5] is missing",
    ],
    [
      'a weight too many',
      () =>
        withWeights('encoder.safetensors', (weights) =>
          weights.set('classifier', { shape: [1], data: new Float32Array(1) }),
        ),
      "encoder.safetensors: 'classifier' [1] does not belong there",
    ],
    [
      'a weight of another shape',
      () =>
        withWeights('encoder.safetensors', (weights) =>
          weights.set('head.bias', { shape: [4], data: new Float32Array(4) }),
        ),
      "encoder.safetensors: 'head.bias' should be [5], and is [4]",
    ],
    [
      'a weight that is not a number',
      () =>
        withWeights('encoder.safetensors', (weights) =>
          weights.set('head.bias', { shape: [5], data: new Float32Array(5).fill(NaN) }),
        ),
      "encoder.safetensors: 'head.bias' [5] has values that are not finite",
    ],
    [
      'a vocabulary of another size',
      () => withFile('vocabulary.txt', Buffer.from('<pad>\n<start>\n<end>\n<unk>\na\n')),
      'vocabulary.txt: should have 6 words, and has 5',
    ],
    [
      'a vocabulary without its tokens',
      () => withFile('vocabulary.txt', Buffer.from('<start>\n<end>\n<unk>\na\nb\nc\n')),
      "vocabulary.txt: line 1 should be <pad>, and is '<start>'",
    ],
    [
      'a word that is there twice',
      () => withFile('vocabulary.txt', Buffer.from('<pad>\n<start>\n<end>\n<unk>\na\na\n')),
      "vocabulary.txt: 'a' is there twice, in lines 5 and 6",
    ],
    [
      'an empty line in the vocabulary',
      () => withFile('vocabulary.txt', Buffer.from('<pad>\n<start>\n<end>\n<unk>\n\na\n')),
      "vocabulary.txt: line 5 should be one word, and is ''",
    ],
  ])('is refused with %s', (_what, files, message) => {
    expect(() => parseModelBundle(files())).toThrow(message);
  });
});

function withoutDerived<T extends { formatVersion: unknown; vocabulary: unknown; files: unknown }>(
  description: T,
) {
  const { formatVersion, vocabulary, files, ...rest } = description;
  return rest;
}
