/** Small text files of a checkpoint: its configuration, vocabularies, the index of its shards. */
import { stat } from 'node:fs/promises';
import { UserError } from '@cutline/shared/errors';
import { RangeFile } from './range-file.ts';

/** A configuration has a few KB, the vocabulary of a large model 20 MB. */
const bytesMaxDefault = 32 * 1024 * 1024;

/**
 * A file as JSON, of any shape: whoever asked holds it to a schema.
 *
 * @param bytesMax what is larger is refused before it is read; default 32 MiB.
 * @throws UserError when it is missing, too large, not UTF-8 or not JSON.
 */
export async function readJson(
  path: string,
  options: { bytesMax?: number } = {},
): Promise<unknown> {
  const text = await readText(path, options);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const { message } = cause as Error;
    throw new UserError(`${path} is not JSON: ${message.replaceAll(/[\s\p{Cc}]+/gu, ' ')}.`, {
      cause,
    });
  }
}

/**
 * A file as text, without the byte order mark that it may begin with.
 *
 * @param bytesMax what is larger is refused before it is read; default 32 MiB.
 * @throws UserError when it is missing, too large or not UTF-8.
 */
export async function readText(
  path: string,
  { bytesMax = bytesMaxDefault }: { bytesMax?: number } = {},
): Promise<string> {
  const file = await RangeFile.open(path);
  try {
    if (file.bytes > bytesMax) {
      throw new UserError(`${path} has ${file.bytes} bytes, and may have ${bytesMax} at most.`);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.read(0, file.bytes));
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`${path} is not text in UTF-8.`, { cause });
  } finally {
    await file.close();
  }
}

/** Whether a file of that name is there; links are followed. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
