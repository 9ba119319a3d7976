/**
 * Published checkpoints as bundles. The table of families: a new one is a file that defines it and
 * a line here.
 */
import { z } from 'zod';
import { encoderFamilies } from '../encoders/index.ts';
import { toInt8 } from '../int8.ts';
import { formatModelBundle } from '../model-bundle.ts';
import { parseTokenizer } from '../tokenizer.ts';
import type { WeightType } from '../weights.ts';
import { publishedBlip } from './published-blip.ts';
import type { PublishedCheckpoint, PublishedOrigin } from './published-checkpoint.ts';
import type { PublishedFamily } from './published-family.ts';
import { publishedGit } from './published-git.ts';
import { parse, readCleanUp, readDecoding } from './published-settings.ts';
import { publishedVitGpt2 } from './published-vit-gpt2.ts';

const families: readonly PublishedFamily[] = [publishedBlip, publishedVitGpt2, publishedGit];

const kind = { model_type: z.string().optional() };
const kindSchema = z.object({
  ...kind,
  architectures: z.array(z.string()).optional(),
  encoder: z.object(kind).optional(),
  decoder: z.object(kind).optional(),
});

export interface ConversionOptions {
  /** In which weights are stored. */
  weightType?: WeightType;
  /** In which the encoder's dense layers multiply: see int8.ts. */
  precision?: Precision;
}

export type Precision = 'float32' | 'int8';

/**
 * The files of a bundle, from a checkpoint as it was published.
 *
 * @throws Error of one line, where its architecture or something in it is not known here
 */
export async function convertCheckpoint(
  checkpoint: PublishedCheckpoint,
  { name, licence, provenance }: PublishedOrigin,
  { weightType = 'float32', precision = 'float32' }: ConversionOptions = {},
): Promise<ReturnType<typeof formatModelBundle>> {
  const { preprocessing, encoder, decoder, tokens } =
    await familyOf(checkpoint).convert(checkpoint);
  const encoderFamily = encoderFamilies.get(encoder.family);
  if (!encoderFamily) throw new Error(`there is no encoder family '${encoder.family}'`);
  const { height, width } = preprocessing;
  const [locations, channels] = encoderFamily.featureMapShape(encoder.sizes, height, width);
  return formatModelBundle(
    {
      description: {
        name,
        description: `${provenance}, converted`,
        encoder: {
          family: encoder.family,
          sizes: encoder.sizes,
          ...(precision === 'int8' && { precision }),
        },
        decoder: { family: decoder.family, sizes: decoder.sizes },
        preprocessing,
        features: { cut: 'feature-map', shape: [locations, channels], dtype: 'float16' },
        decoding: readDecoding(checkpoint),
        licence: { encoder: licence, decoder: licence },
        provenance: { encoder: provenance, decoder: provenance },
        scores: [],
      },
      encoder: precision === 'int8' ? toInt8(encoder.weights) : encoder.weights,
      decoder: decoder.weights,
      vocabulary: parseTokenizer(
        checkpoint.tokenizer,
        { ...tokens, cleanUp: readCleanUp(checkpoint) },
        'tokenizer.json',
      ),
    },
    weightType,
  );
}

function familyOf({ config }: PublishedCheckpoint): PublishedFamily {
  const found = parse(kindSchema, config, 'config.json');
  const family = families.find((each) => each.isOf(found));
  if (family) return family;
  const halves = [found.encoder?.model_type, found.decoder?.model_type].filter(Boolean);
  const type = found.model_type ?? found.architectures?.[0] ?? 'unnamed';
  const what = halves.length > 0 ? `${type} of ${halves.join(' and ')}` : type;
  throw new Error(
    `config.json: its architecture (${what}) is not known here; captioners of BLIP, of ViT with ` +
      'GPT-2, and of GIT are',
  );
}
