import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BundleFiles,
  type BundlePart,
  type CaptionOptions,
  type DecoderBundle,
  type EncoderBundle,
  filesOf,
  findDecoderFamily,
  type ModelBundle,
  type ModelDescription,
  modelId,
  type PreprocessingSpec,
  parseDecoderBundle,
  parseEncoderBundle,
  parseModelBundle,
  parseModelDescription,
  parseVocabularyFile,
} from '@cutline/captioner';
import { describeError, UserError } from '@cutline/shared/errors';
import { findBundle } from './model-shelf.ts';
import { isServed } from './served/is-served.ts';

/**
 * Reads model bundles, which are named by their folder or by their name (model-shelf.ts). What a
 * bundle is, and whether its files fit together, is the captioner's to say; here a fault becomes
 * one line for the person who chose the folder.
 */

/** What the rest of a program needs to know about a model whose weights are here. */
export interface ModelSummary {
  kind: 'local';
  /** `<name>@<12 hexadecimal digits of the bundle's hash>` */
  id: string;
  preprocessing: PreprocessingSpec;
  /** L and D. */
  features: { locations: number; channels: number };
  /** V */
  vocabularySize: number;
  /** What decoding uses unless told otherwise. */
  decoding: CaptionOptions;
  /** Whether the decoder can say where it looked. */
  attends: boolean;
  /** All that model.json says. */
  description: ModelDescription;
}

/**
 * From model.json alone; the weights are neither read nor checked.
 * @throws UserError where there is none, or the model is behind a server
 */
export function describeBundle(folder: string): Promise<ModelSummary> {
  return load(folder, [], (files) => {
    const json = files.get('model.json') as Uint8Array;
    return summarise(parseModelDescription(json));
  });
}

/** Both halves. @throws UserError where a file is missing, damaged or does not fit the others */
export function loadModelBundle(folder: string): Promise<ModelBundle> {
  return load(folder, ['encoder', 'decoder'], parseModelBundle);
}

/** @throws UserError where a file is missing, damaged or does not fit the others */
export function loadEncoderBundle(folder: string): Promise<EncoderBundle> {
  return load(folder, ['encoder'], parseEncoderBundle);
}

/** @throws UserError where a file is missing, damaged or does not fit the others */
export function loadDecoderBundle(folder: string): Promise<DecoderBundle> {
  return load(folder, ['decoder'], parseDecoderBundle);
}

/** @throws UserError where captions of the model cannot begin with that */
export async function checkPrompt(folder: string, prompt: string): Promise<void> {
  const vocabulary = await load(folder, ['vocabulary'], parseVocabularyFile);
  try {
    vocabulary.read(prompt);
  } catch (cause) {
    throw new UserError(`--prompt "${prompt}": ${describeError(cause)}.`, { cause });
  }
}

export function summarise(description: ModelDescription): ModelSummary {
  const [locations, channels] = description.features.shape;
  return {
    kind: 'local',
    id: modelId(description),
    preprocessing: description.preprocessing,
    features: { locations, channels },
    vocabularySize: description.vocabulary.size,
    decoding: description.decoding,
    attends: findDecoderFamily(description).family.attends,
    description,
  };
}

async function load<Bundle>(
  folder: string,
  parts: readonly BundlePart[],
  parse: (files: BundleFiles) => Bundle,
): Promise<Bundle> {
  const path = await findBundle(folder);
  const json = await readBundleFile(path, 'model.json', descriptionBytesMax);
  const files = new Map<string, Uint8Array>([['model.json', json]]);
  requireLocal(json, path);
  const description = asBundle(path, () => parseModelDescription(json));
  for (const name of parts.flatMap((part) => filesOf(description, part))) {
    files.set(name, await readBundleFile(path, name, description.files[name]?.bytes ?? 0));
  }
  return asBundle(path, () => parse(files));
}

/** @throws UserError where the model is behind a server */
function requireLocal(json: Buffer, path: string): void {
  try {
    if (!isServed(JSON.parse(json.toString('utf8')))) return;
  } catch {
    return; // what is wrong with it is said by whoever parses it
  }
  throw new UserError(`The model in ${path} is behind a server: it has no weights here.`);
}

/** @throws UserError instead of what `parse` throws */
export function asBundle<Result>(path: string, parse: () => Result): Result {
  try {
    return parse();
  } catch (cause) {
    throw new UserError(
      `The model bundle in ${path} cannot be used: ${describeError(cause)}. Copy it again, or ` +
        'choose another.',
      { cause },
    );
  }
}

/**
 * Reads a file that is one, and has no more bytes than `bytesMax`: a device has no end, a pipe keeps
 * one waiting, and what is larger than model.json says cannot be the right one.
 */
export async function readBundleFile(
  folder: string,
  name: string,
  bytesMax: number,
): Promise<Buffer> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
    file = await open(join(folder, name), constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stats = await file.stat();
    if (stats.isFile() && stats.size <= bytesMax) return await file.readFile();
    throw bundleFault(
      folder,
      stats.isFile()
        ? `has ${stats.size} bytes of ${name}, where at most ${bytesMax} are expected`
        : `has a ${name} that is ${stats.isDirectory() ? 'a folder' : 'a device or a pipe'}, not a file`,
    );
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    const what =
      code === 'ENOENT' ? `has no ${name}` : `has a ${name} that cannot be read (${code})`;
    throw bundleFault(folder, what, cause);
  } finally {
    await file?.close();
  }
}

function bundleFault(folder: string, what: string, cause?: unknown): UserError {
  return new UserError(
    `The folder ${folder} ${what}: copy the model bundle again, or choose another.`,
    cause === undefined ? undefined : { cause },
  );
}

/** Of model.json: that which ships has 3 KB. */
export const descriptionBytesMax = 1024 * 1024;
