import { basename, join, resolve } from 'node:path';
import {
  bundleName,
  type ConversionOptions,
  convertCheckpoint,
  shelfFolder,
} from '@cutline/inference';
import { describeError, UserError } from '@cutline/shared/errors';
import { type OpenedCheckpoint, openPublished } from './open-published.ts';
import { requireReplaceable, writeBundle } from './write-bundle.ts';

export interface AddModelRequest extends ConversionOptions {
  /** A folder, or a repository of the hub. */
  source: string;
  name?: string | undefined;
  /** A folder for the bundle; default: on the shelf, under its name. */
  into?: string | undefined;
  revision?: string | undefined;
  /** Side of the images that the bundle takes, in pixels; default: what the model was trained on. */
  imageSize?: number | undefined;
  signal?: AbortSignal;
  /** Told of every step, in words, and of downloads in bytes. */
  onStep: (what: string) => void;
}

/**
 * Makes a bundle of a published checkpoint: fetches it if need be, converts it, and puts it in its
 * place when it is whole. A bundle of that name is replaced.
 *
 * @returns the bundle's folder
 * @throws UserError in one line, for everything that a person has to put right
 */
export async function addModel(request: AddModelRequest): Promise<string> {
  const name = request.name ?? nameOf(request.source, request);
  if (!bundleName.test(name)) {
    throw new UserError(
      `"${name}" cannot be a model's name: give one of lower-case words and digits, joined by ` +
        'hyphens (--name).',
    );
  }
  const folder = resolve(request.into ?? join(shelfFolder(), name));
  await requireReplaceable(folder);
  const opened = await openPublished(request.source, {
    revision: request.revision,
    ...(request.signal && { signal: request.signal }),
    onProgress: ({ bytes, bytesTotal }) =>
      request.onStep(`fetching ${megabytes(bytes)} of ${megabytes(bytesTotal)} …`),
  });
  try {
    request.onStep('converting …');
    await writeBundle(folder, await convert(opened, name, request));
  } finally {
    await opened.close();
  }
  return folder;
}

/** `Salesforce/blip-image-captioning-base` → `blip-base`: that it captions goes without saying. */
export function nameOf(source: string, { precision }: ConversionOptions = {}): string {
  const name = basename(resolve(source))
    .toLowerCase()
    .replaceAll(/[-_]?image[-_]captioning/g, '')
    .replaceAll(/[^a-z0-9.]+/g, '-')
    .replaceAll(/^[-.]+|[-.]+$/g, '');
  return precision === 'int8' ? `${name}-int8` : name;
}

async function convert(
  { checkpoint, licence, provenance }: OpenedCheckpoint,
  name: string,
  request: AddModelRequest,
): Promise<Map<string, Uint8Array>> {
  try {
    const { imageSize } = request;
    const origin = { name, licence: licence ?? 'not stated', provenance };
    const files = await convertCheckpoint({ ...checkpoint, imageSize }, origin, request);
    return new Map<string, Uint8Array>([...files, ['README.md', card(name, origin)]]);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`${request.source} cannot be converted: ${describeError(cause)}.`, {
      cause,
    });
  }
}

function card(name: string, { licence, provenance }: { licence: string; provenance: string }) {
  return Buffer.from(
    `# ${name}\n\nConverted by \`cutline model add\` from ${provenance}.\n\nLicence: ${licence}.\n`,
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
}
