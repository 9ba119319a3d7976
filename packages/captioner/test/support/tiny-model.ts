/** Small random models, seeded: quick enough to check every number. */
import {
  createRandom,
  decoderFamilies,
  formatModelBundle,
  type ModelBundle,
  type ModelDescription,
  mobileNetV2,
  type ParameterSpecs,
  parseModelBundle,
  type WeightArray,
  wordList,
} from '@cutline/captioner';

/** L = 9, from 12×10 pixels: odd sizes on the way show where padding goes. */
export const encoderSizes = {
  stem: 4,
  stages: [
    [1, 4, 1, 1],
    [2, 6, 2, 2],
  ],
  head: 5,
} as const;

const decoderSizes: Record<string, Record<string, number>> = {
  'show-and-tell': { embedding: 4, hidden: 6 },
  lrcn: { embedding: 4, image: 3, hidden: 6 },
  'show-attend-tell': { annotation: 5, attention: 3, embedding: 4, hidden: 6 },
};

export const familyNames = Object.keys(decoderSizes);

type Cut = ModelDescription['features']['cut'];

/**
 * The files of a tiny bundle; `words` besides the four tokens. Both cuts give the same model.
 * @param channels D, of the feature map, and of what a decoder that attends makes of it
 */
export function tinyBundleFiles(
  family: string,
  words: readonly string[],
  seed = 1,
  cut: Cut = 'feature-map',
  channels: number = encoderSizes.head,
) {
  const stages = encoderSizes.stages.map((stage) => [...stage]);
  const sizes = { ...encoderSizes, stages, head: channels };
  const vocabulary = wordList(['<pad>', '<start>', '<end>', '<unk>', ...words]);
  const decoder = decoderFamilies.get(family);
  if (!decoder) throw new Error(`no decoder family '${family}'`);
  const { projection } = decoder;
  const ownSizes = { ...decoderSizes[family] };
  if (ownSizes.annotation !== undefined) ownSizes.annotation = channels;
  const projected = projection.shape(ownSizes, [9, channels]);
  const context = {
    locations: projected[0],
    channels: projected[1],
    vocabulary: vocabulary.size,
  };
  const cnn = mobileNetV2.parameters(mobileNetV2.sizesSchema.parse(sizes));
  const projecting = randomWeights(projection.parameters(ownSizes, channels), seed + 2);
  return formatModelBundle({
    description: {
      name: `tiny-${family}`,
      description: 'random',
      encoder: { family: 'mobilenet-v2', sizes },
      decoder: { family, sizes: ownSizes },
      preprocessing: {
        width: 10,
        height: 12,
        fit: 'squash',
        kernel: 'cubic',
        mean: [0.4, 0.5, 0.6],
        std: [0.3, 0.2, 0.25],
      },
      features: {
        cut,
        shape: cut === 'projection' ? [...projected] : [9, channels],
        dtype: 'float16',
      },
      decoding: {
        beamSize: 3,
        candidates: 2,
        lengthPenalty: 0.7,
        lengthMax: 5,
        lengthMin: 0,
        noRepeatNgram: 0,
        attention: false,
      },
      licence: { encoder: 'CC0-1.0', decoder: 'CC0-1.0' },
      provenance: { encoder: 'random', decoder: 'random' },
      scores: [],
    },
    encoder: new Map([...randomWeights(cnn, seed), ...(cut === 'projection' ? projecting : [])]),
    decoder: new Map([
      ...randomWeights(decoder.parameters(ownSizes, context), seed + 1),
      ...(cut === 'feature-map' ? projecting : []),
    ]),
    vocabulary,
  });
}

export function tinyBundle(
  family: string,
  words: readonly string[],
  seed = 1,
  cut: Cut = 'feature-map',
): ModelBundle {
  return parseModelBundle(tinyBundleFiles(family, words, seed, cut));
}

/** Unlike initial weights these have biases too, and are large enough to make captions differ. */
function randomWeights(specs: ParameterSpecs, seed: number): Map<string, WeightArray> {
  const random = createRandom(seed);
  return new Map(
    Object.entries(specs).map(([name, { shape }]) => {
      const length = shape.reduce((product, size) => product * size, 1);
      return [name, { shape, data: Float32Array.from({ length }, () => 2 * random() - 1) }];
    }),
  );
}

export function randomFloats(length: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length }, () => 2 * random() - 1);
}

export function randomBytes(length: number, seed: number): Uint8Array {
  const random = createRandom(seed);
  return Uint8Array.from({ length }, () => 256 * random());
}
