/**
 * A model bundle as a whole: model.json, the weights and the vocabulary, checked against each
 * other. No file is read here: a loader reads model.json and the names that `filesOf` lists, and hands
 * over their bytes. Encoder and decoder load separately, each without the other's weights.
 */
import { decoderHalf, encoderHalf } from './cut.ts';
import {
  type BundleFile,
  bundleFiles,
  checkModelDescription,
  formatModelDescription,
  type ModelDescription,
  modelId,
  parseModelDescription,
  sha256,
  vocabularyFileOf,
} from './model-description.ts';
import { formatSafetensors, parseSafetensors } from './safetensors.ts';
import { parseTokenizer } from './tokenizer.ts';
import type { Vocabulary } from './vocabulary.ts';
import type { ParameterSpecs, WeightArrays, WeightType } from './weights.ts';
import { parseWordList } from './word-list.ts';

/** Contents by name; names without a folder. */
export type BundleFiles = ReadonlyMap<string, Uint8Array>;

interface Model {
  /** `<name>@<12 hexadecimal digits>` */
  id: string;
  description: ModelDescription;
}

export interface EncoderBundle extends Model {
  encoder: WeightArrays;
}

export interface DecoderBundle extends Model {
  decoder: WeightArrays;
  vocabulary: Vocabulary;
}

export interface ModelBundle extends EncoderBundle, DecoderBundle {}

export type BundlePart = 'encoder' | 'decoder' | 'vocabulary';

/** The files besides model.json of either half, or of what the decoder reads and says. */
export function filesOf(description: ModelDescription, part: BundlePart): BundleFile[] {
  if (part === 'encoder') return [bundleFiles.encoder];
  if (part === 'vocabulary') return [vocabularyFileOf(description)];
  return [bundleFiles.decoder, vocabularyFileOf(description)];
}

/** @throws Error that names the file, what was expected and what was found. */
export function parseEncoderBundle(files: BundleFiles): EncoderBundle {
  const model = parseModel(files);
  return { ...model, encoder: parseEncoderWeights(files, model.description) };
}

/** @throws Error that names the file, what was expected and what was found. */
export function parseDecoderBundle(files: BundleFiles): DecoderBundle {
  const model = parseModel(files);
  return { ...model, ...parseDecoderWeights(files, model.description) };
}

/** @throws Error that names the file, what was expected and what was found. */
export function parseModelBundle(files: BundleFiles): ModelBundle {
  const model = parseModel(files);
  return {
    ...model,
    encoder: parseEncoderWeights(files, model.description),
    ...parseDecoderWeights(files, model.description),
  };
}

/** What `formatModelBundle` works out by itself. */
type Derived = 'formatVersion' | 'vocabulary' | 'files';

/**
 * The files of a bundle (all but its card), from its parts. Deterministic.
 *
 * @throws Error when the parts do not fit together, as parsing would; also for weights that float16
 *   cannot hold.
 */
export function formatModelBundle(
  parts: {
    description: Omit<ModelDescription, Derived>;
    encoder: WeightArrays;
    decoder: WeightArrays;
    vocabulary: Vocabulary;
  },
  weightType: WeightType = 'float32',
): Map<'model.json' | BundleFile, Uint8Array> {
  const vocabulary = parts.vocabulary.description;
  const contents: [BundleFile, Uint8Array][] = [
    [bundleFiles.encoder, formatSafetensors(parts.encoder, weightType)],
    [bundleFiles.decoder, formatSafetensors(parts.decoder, weightType)],
    [vocabularyFileOf({ vocabulary }), parts.vocabulary.format()],
  ];
  const description = checkModelDescription({
    formatVersion: 'start' in vocabulary ? 3 : 2,
    ...parts.description,
    vocabulary,
    files: Object.fromEntries(
      contents.map(([name, bytes]) => [name, { bytes: bytes.length, sha256: sha256(bytes) }]),
    ),
  });
  const files = new Map([
    ['model.json', formatModelDescription(description)] as const,
    ...contents,
  ]);
  parseModelBundle(files);
  return files;
}

function parseModel(files: BundleFiles): Model {
  const description = parseModelDescription(fileOf(files, 'model.json'));
  return { id: modelId(description), description };
}

function parseEncoderWeights(files: BundleFiles, description: ModelDescription): WeightArrays {
  return parseWeights(files, description, bundleFiles.encoder, encoderHalf(description).parameters);
}

function parseDecoderWeights(files: BundleFiles, description: ModelDescription) {
  const vocabulary = parseVocabulary(files, description);
  const { parameters } = decoderHalf(description);
  return { vocabulary, decoder: parseWeights(files, description, bundleFiles.decoder, parameters) };
}

/** Alone. @throws Error that names the file, what was expected and what was found. */
export function parseVocabularyFile(files: BundleFiles): Vocabulary {
  return parseVocabulary(files, parseModel(files).description);
}

function parseVocabulary(files: BundleFiles, description: ModelDescription): Vocabulary {
  const { vocabulary } = description;
  const name = vocabularyFileOf(description);
  const bytes = checkedFileOf(files, description, name);
  if ('start' in vocabulary) return parseTokenizer(bytes, vocabulary, name);
  const words = parseWordList(bytes, name);
  if (words.size === vocabulary.size) return words;
  throw new Error(`${name}: should have ${vocabulary.size} words, and has ${words.size}`);
}

function parseWeights(
  files: BundleFiles,
  description: ModelDescription,
  name: BundleFile,
  specs: ParameterSpecs,
): WeightArrays {
  const weights = parseSafetensors(checkedFileOf(files, description, name), name);
  const problems: string[] = [];
  for (const [tensor, { shape }] of Object.entries(specs)) {
    const found = weights.get(tensor);
    if (!found) problems.push(`'${tensor}' [${shape}] is missing`);
    else if (String(found.shape) !== String(shape)) {
      problems.push(`'${tensor}' should be [${shape}], and is [${found.shape}]`);
    } else if (!found.data.every(Number.isFinite)) {
      problems.push(`'${tensor}' [${shape}] has values that are not finite`);
    }
  }
  for (const [tensor, { shape }] of weights) {
    if (!(tensor in specs)) problems.push(`'${tensor}' [${shape}] does not belong there`);
  }
  if (problems.length > 0) {
    const more = problems.length > 5 ? `; and ${problems.length - 5} more` : '';
    throw new Error(`${name}: ${problems.slice(0, 5).join('; ')}${more}`);
  }
  return weights;
}

function checkedFileOf(
  files: BundleFiles,
  description: ModelDescription,
  name: BundleFile,
): Uint8Array {
  const bytes = fileOf(files, name);
  const expected = description.files[name];
  if (!expected) throw new Error(`model.json: files should name ${name}`);
  if (bytes.length !== expected.bytes) {
    throw new Error(
      `${name}: should have ${expected.bytes} bytes, and has ${bytes.length} (incomplete copy?)`,
    );
  }
  const found = sha256(bytes);
  if (found !== expected.sha256) {
    throw new Error(`${name}: should have SHA-256 ${expected.sha256}, and has ${found}`);
  }
  return bytes;
}

function fileOf(files: BundleFiles, name: string): Uint8Array {
  const bytes = files.get(name);
  if (!bytes) throw new Error(`${name}: missing from the model bundle`);
  return bytes;
}
