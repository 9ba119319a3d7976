/**
 * model.json: everything about a model except its numbers. It names the other files of the bundle
 * with their SHA-256, so that it alone identifies the model.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { captionOptionsSchema } from './caption-options.ts';
import { decoderFamilies } from './decoders/index.ts';
import { encoderFamilies } from './encoders/index.ts';

/** The files of a bundle besides model.json; README.md, the model card, is for people only. */
export const bundleFiles = {
  encoder: 'encoder.safetensors',
  decoder: 'decoder.safetensors',
  /** A bundle has either of these. */
  words: 'vocabulary.txt',
  tokenizer: 'tokenizer.json',
} as const;

export type BundleFile = (typeof bundleFiles)[keyof typeof bundleFiles];

const fileSchema = z.strictObject({
  bytes: z.int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits'),
});

const rgbSchema = z.tuple([z.number(), z.number(), z.number()]);

const descriptionSchema = z.strictObject({
  /** 3 came with tokenizers, and with images that are cropped. */
  formatVersion: z.literal([2, 3]),
  /** Lower-case words and digits joined by hyphens: it is part of the model id. */
  name: z.string().regex(/^[a-z0-9]+([.-][a-z0-9]+)*$/, 'must be lower-case-words-and-digits'),
  description: z.string(),
  encoder: z.strictObject({
    family: z.string(),
    sizes: z.unknown(),
    /** In which numbers its dense layers multiply, where it is not float32: see int8.ts. */
    precision: z.literal('int8').optional(),
  }),
  decoder: z.strictObject({ family: z.string(), sizes: z.unknown() }),
  /** From an upright sRGB image to pixels, and from those to what the CNN was trained on. */
  preprocessing: z.strictObject({
    width: z.int().positive(),
    height: z.int().positive(),
    /**
     * `squash` ignores the aspect ratio, so that nothing is cut off; `crop` cuts the middle out of
     * the image, resized until its shorter side has `shortestEdge` pixels.
     */
    fit: z.enum(['squash', 'crop']),
    /** For `crop` alone. */
    shortestEdge: z.int().positive().optional(),
    /** What is called bicubic and bilinear elsewhere, widened when shrinking. */
    kernel: z.enum(['cubic', 'linear']),
    mean: rgbSchema,
    std: rgbSchema.refine((std) => std.every((s) => s > 0), 'must be positive'),
  }),
  /** What travels from encoder to decoder: see cut.ts; `[L,D]`; and in which type. */
  features: z.strictObject({
    cut: z.enum(['feature-map', 'projection']),
    shape: z.tuple([z.int().positive(), z.int().positive()]),
    dtype: z.literal('float16'),
  }),
  vocabulary: z.union([
    /** V: lines of vocabulary.txt. */
    z.strictObject({ size: z.int().min(5) }),
    /** V tokens of tokenizer.json, and which of them begins and ends captions. */
    z.strictObject({
      size: z.int().min(5),
      start: z.int().min(0),
      end: z.int().min(0),
      cleanUp: z.boolean(),
    }),
  ]),
  /** What decoding uses unless told otherwise. */
  decoding: captionOptionsSchema,
  /** Of the weights; SPDX identifiers where there is one. */
  licence: z.strictObject({ encoder: z.string(), decoder: z.string() }),
  /** Where the weights come from. */
  provenance: z.strictObject({ encoder: z.string(), decoder: z.string() }),
  /** Measured on captioned images: which, how, and the metrics by name. */
  scores: z.array(
    z.strictObject({
      dataset: z.string(),
      split: z.string(),
      beamSize: z.int().positive(),
      metrics: z.record(z.string(), z.number()),
    }),
  ),
  files: z.strictObject({
    [bundleFiles.encoder]: fileSchema,
    [bundleFiles.decoder]: fileSchema,
    [bundleFiles.words]: fileSchema.optional(),
    [bundleFiles.tokenizer]: fileSchema.optional(),
  }),
});

export type ModelDescription = z.infer<typeof descriptionSchema>;
export type PreprocessingSpec = ModelDescription['preprocessing'];

/** @throws Error that starts with `name` and lists everything that is wrong. */
export function parseModelDescription(bytes: Uint8Array, name = 'model.json'): ModelDescription {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Error(`${name}: not JSON`, { cause });
  }
  return checkModelDescription(json, name);
}

/** Also of a description that was just put together. @throws as `parseModelDescription` */
export function checkModelDescription(json: unknown, name = 'model.json'): ModelDescription {
  const parsed = descriptionSchema.safeParse(json);
  if (!parsed.success) throw new Error(`${name}: ${listIssues(parsed.error)}`);
  const description = parsed.data;
  const { preprocessing, encoder, decoder, features, files } = description;
  const vocabularyFile = vocabularyFileOf(description);
  const otherFile =
    vocabularyFile === bundleFiles.words ? bundleFiles.tokenizer : bundleFiles.words;
  if (!files[vocabularyFile]) throw new Error(`${name}: files should name ${vocabularyFile}`);
  if (files[otherFile]) throw new Error(`${name}: ${otherFile} does not belong to its vocabulary`);
  if ((preprocessing.fit === 'crop') !== (preprocessing.shortestEdge !== undefined)) {
    throw new Error(`${name}: preprocessing.shortestEdge belongs to images that are cropped`);
  }
  findEncoderFamily(description, name);
  findDecoderFamily(description, name);
  const projected = features.cut === 'projection';
  const expected = projected ? projectedShape(description) : featureMapShape(description);
  if (String(expected) !== String(features.shape)) {
    const families = projected ? `${encoder.family}, ${decoder.family}` : encoder.family;
    throw new Error(
      `${name}: features.shape should be [${expected}] (${families}, ` +
        `${preprocessing.width}×${preprocessing.height} pixels, cut at the ${features.cut}), and ` +
        `is [${features.shape}]`,
    );
  }
  return description;
}

/** The file that holds the vocabulary. */
export function vocabularyFileOf({ vocabulary }: Pick<ModelDescription, 'vocabulary'>) {
  return 'start' in vocabulary ? bundleFiles.tokenizer : bundleFiles.words;
}

/** `[L,D]` of the encoder's feature map. */
export function featureMapShape(description: ModelDescription): readonly [number, number] {
  const { family, sizes } = findEncoderFamily(description);
  const { height, width } = description.preprocessing;
  return family.featureMapShape(sizes, height, width);
}

/** `[L,D]` of what the decoder's projection makes of it. */
export function projectedShape(description: ModelDescription): readonly [number, number] {
  const { family, sizes } = findDecoderFamily(description);
  return family.projection.shape(sizes, featureMapShape(description));
}

/** The encoder's definition and its sizes, checked. @throws Error for what is not known here */
export function findEncoderFamily({ encoder }: ModelDescription, name = 'model.json') {
  return find(encoderFamilies, encoder, `${name}: encoder`);
}

/** The decoder's definition and its sizes, checked. @throws Error for what is not known here */
export function findDecoderFamily({ decoder }: ModelDescription, name = 'model.json') {
  return find(decoderFamilies, decoder, `${name}: decoder`);
}

/** What a search has to know of a decoder: whether steps return attention, and how much it reads. */
export function decoderTraits(description: ModelDescription): {
  attends: boolean;
  tokensMax: number;
} {
  const { family, sizes } = findDecoderFamily(description);
  const tokensMax = family.tokensMax?.(sizes) ?? Number.POSITIVE_INFINITY;
  return { attends: family.attends, tokensMax };
}

/**
 * `<name>@<12 hexadecimal digits>`: of the SHA-256 of model.json's content, and through the hashes
 * in it of the whole bundle. Order of keys and white space do not matter.
 */
export function modelId(description: { name: string } & Record<string, unknown>): string {
  return `${description.name}@${sha256(Buffer.from(canonicalJson(description))).slice(0, 12)}`;
}

export function formatModelDescription(description: ModelDescription): Uint8Array {
  return Buffer.from(`${JSON.stringify(description, null, 2)}\n`);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function find<Sizes, Family extends { sizesSchema: z.ZodType<Sizes> }>(
  families: ReadonlyMap<string, Family>,
  { family: familyName, sizes }: { family: string; sizes: unknown },
  where: string,
): { family: Family; sizes: Sizes } {
  const family = families.get(familyName);
  if (!family) {
    const known = [...families.keys()].join(', ');
    throw new Error(`${where}.family should be one of ${known}, and is '${familyName}'`);
  }
  const parsed = family.sizesSchema.safeParse(sizes);
  if (!parsed.success) throw new Error(`${where}.sizes: ${listIssues(parsed.error)}`);
  return { family, sizes: parsed.data };
}

function listIssues(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
    .join('; ');
}

/** JSON with sorted keys and no white space. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
