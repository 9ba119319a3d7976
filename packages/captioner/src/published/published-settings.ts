/** What configurations say beside the sizes of a model: preprocessing, decoding, tokens. */
import { z } from 'zod';
import type { CaptionOptions } from '../caption-options.ts';
import type { PreprocessingSpec } from '../model-description.ts';
import type { PublishedCheckpoint } from './published-checkpoint.ts';

const side = z.int().positive();
const sizeSchema = z.union([
  side,
  z.object({ height: side, width: side }),
  z.object({ shortest_edge: side }),
]);
const rgbSchema = z.tuple([z.number(), z.number(), z.number()]);

const preprocessorSchema = z.object({
  do_resize: z.boolean().default(true),
  size: sizeSchema,
  do_center_crop: z.boolean().default(false),
  crop_size: sizeSchema.optional(),
  resample: z.int().default(3),
  do_rescale: z.boolean().default(true),
  rescale_factor: z.number().default(1 / 255),
  do_normalize: z.boolean().default(true),
  image_mean: rgbSchema,
  image_std: rgbSchema,
});

/** PIL's numbers. */
const kernels = new Map([
  [2, 'linear'],
  [3, 'cubic'],
] as const);

/** @throws Error for what is done to images otherwise than here */
export function readPreprocessing({
  preprocessor,
  imageSize,
}: PublishedCheckpoint): PreprocessingSpec {
  const published = readPublished(preprocessor);
  if (imageSize === undefined) return published;
  const { shortestEdge, width } = published;
  return {
    ...published,
    ...{ width: imageSize, height: imageSize },
    // As much is cut off.
    ...(shortestEdge && { shortestEdge: Math.round((shortestEdge * imageSize) / width) }),
  };
}

function readPublished(preprocessor: unknown): PreprocessingSpec {
  const found = parse(preprocessorSchema, preprocessor, 'preprocessor_config.json');
  const kernel = kernels.get(found.resample as 2 | 3);
  if (!kernel) {
    throw unknown('preprocessor_config.json', `resample is ${found.resample}, not 2 or 3`);
  }
  if (!found.do_resize || !found.do_rescale || !found.do_normalize) {
    throw unknown('preprocessor_config.json', 'images are not resized, rescaled and normalised');
  }
  if (Math.abs(found.rescale_factor * 255 - 1) > 1e-6) {
    throw unknown('preprocessor_config.json', `rescale_factor is ${found.rescale_factor}`);
  }
  const { image_mean: mean, image_std: std, size } = found;
  const pixels = { kernel, mean, std };
  const crop = found.do_center_crop ? found.crop_size : undefined;
  if (typeof size === 'object' && 'shortest_edge' in size) {
    return { ...squareOf(crop ?? size), fit: 'crop', shortestEdge: size.shortest_edge, ...pixels };
  }
  if (crop === undefined) return { ...squareOf(size), fit: 'squash', ...pixels };
  throw unknown('preprocessor_config.json', 'images are cropped that are not resized by an edge');
}

function squareOf(size: z.infer<typeof sizeSchema>): { width: number; height: number } {
  if (typeof size === 'number') return { width: size, height: size };
  if ('shortest_edge' in size) return { width: size.shortest_edge, height: size.shortest_edge };
  return { width: size.width, height: size.height };
}

const generationSchema = z.object({
  num_beams: z.int().positive().nullish(),
  max_length: z.int().positive().nullish(),
  max_new_tokens: z.int().positive().nullish(),
  length_penalty: z.number().nullish(),
  no_repeat_ngram_size: z.int().min(0).nullish(),
});

/** Where the authors say nothing: what BLIP's use for captions. */
const usual = { beamSize: 3, lengthMax: 20, lengthPenalty: 1 } as const;

/** The published defaults, as options here. */
export function readDecoding({ generation }: PublishedCheckpoint): CaptionOptions {
  const found = parse(generationSchema, generation ?? {}, 'generation_config.json');
  const { max_new_tokens: tokens, max_length: length } = found;
  // The older of the two counts the token that captions begin after.
  const lengthMax = tokens ?? (length ? length - 1 : usual.lengthMax);
  return {
    beamSize: found.num_beams ?? usual.beamSize,
    candidates: 1,
    lengthPenalty: found.length_penalty ?? usual.lengthPenalty,
    lengthMax: Math.min(200, Math.max(1, lengthMax)),
    lengthMin: 0,
    noRepeatNgram: found.no_repeat_ngram_size ?? 0,
    stopEarly: true,
    attention: false,
  };
}

const tokenizerConfigSchema = z.object({
  clean_up_tokenization_spaces: z.boolean().nullish(),
});

/** Whether spaces before punctuation go. */
export function readCleanUp({ tokenizerConfig }: PublishedCheckpoint): boolean {
  const found = parse(tokenizerConfigSchema, tokenizerConfig ?? {}, 'tokenizer_config.json');
  return found.clean_up_tokenization_spaces ?? false;
}

/** @throws Error that starts with the file's name and says what is wrong. */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  json: unknown,
  file: string,
): z.output<Schema> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`${file}: ${issue?.path.join('.')}: ${issue?.message}`);
}

export function unknown(file: string, what: string): Error {
  return new Error(`${file}: ${what}, which is not known here`);
}
