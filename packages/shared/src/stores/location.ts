import { basename, dirname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { UserError } from '../errors.ts';
import { redactUrl } from '../process/redact-url.ts';

/**
 * Where images or results are, as a person writes it: `s3://bucket/prefix`, a folder such as
 * `./photos`, or a file:// URL. Nothing is looked up here: whether the place exists is for
 * `ObjectStore.check` to say.
 */
export interface Location {
  /** What `openStore` takes: `s3://bucket` or `file:///absolute/folder`. */
  store: string;
  /** Keys start with it: what follows the bucket. Always empty for a folder. */
  prefix: string;
}

/** One object, as a person writes it: a list of keys, say. */
export interface ObjectLocation {
  store: string;
  key: string;
}

/**
 * The text of an s3:// location is taken as it stands: `%20` in it is a key with a percent sign,
 * as in the AWS command line. In a file:// URL it is a space, as in every file:// URL.
 *
 * @throws UserError that says what a location looks like.
 */
export function parseLocation(text: string): Location {
  const s3 = parseS3(text);
  if (s3) return s3;
  return { store: folderUrl(parsePath(text)), prefix: '' };
}

/** A place to put objects in: the prefix is empty, or ends with a slash. @throws UserError */
export function parsePlace(text: string): Location {
  const { store, prefix } = parseLocation(text);
  return { store, prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/` };
}

/** @throws UserError where the text is no location, or names no object in it. */
export function parseObjectLocation(text: string): ObjectLocation {
  const s3 = parseS3(text);
  const { store, key } = s3 ? { store: s3.store, key: s3.prefix } : splitPath(parsePath(text));
  if (key === '' || key.endsWith('/')) {
    throw new UserError(
      `${JSON.stringify(text)} names no object: expected s3://bucket/key or a file's path.`,
    );
  }
  return { store, key };
}

/** `file:///absolute/folder`, without a slash at the end. */
export function folderUrl(path: string): string {
  return pathToFileURL(resolve(path)).href;
}

function parseS3(text: string): Location | undefined {
  if (!/^s3:/i.test(text)) return undefined;
  // The bucket names of Amazon and, as in its oldest region and in other stores, `_` and capitals.
  const match = /^s3:\/\/([a-z0-9][a-z0-9._-]{1,253}[a-z0-9])(?:\/(.*))?$/is.exec(text);
  if (!match?.[1]) throw notALocation(text);
  return { store: `s3://${match[1]}`, prefix: match[2] ?? '' };
}

/** The absolute path that a path or a file:// URL names. */
function parsePath(text: string): string {
  // A scheme has two letters and more: `C:\photos` is a path.
  const isUrl = /^file:|^[a-z][a-z0-9+.-]+:\/\//i.test(text);
  const path = isUrl ? parseFileUrl(text) : resolve(text);
  if (text === '' || path.includes('\0')) throw notALocation(text);
  return path;
}

function splitPath(path: string): ObjectLocation {
  return { store: folderUrl(dirname(path)), key: basename(path) };
}

function parseFileUrl(text: string): string {
  // `file:photos` and `file://photos` are valid URLs of something else than was meant.
  if (!/^file:\/\/\//i.test(text)) throw notALocation(text);
  try {
    const url = new URL(text);
    if (url.search !== '' || url.hash !== '') {
      throw new UserError(`In ${JSON.stringify(text)}, write "?" as %3F and "#" as %23.`);
    }
    return resolve(fileURLToPath(url));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw notALocation(text, error);
  }
}

function notALocation(text: string, cause?: unknown): UserError {
  return new UserError(
    `${JSON.stringify(redactUrl(text))} is not a location: expected s3://bucket, s3://bucket/prefix, a folder such as ` +
      './photos, or file:///absolute/folder.',
    cause === undefined ? undefined : { cause },
  );
}
