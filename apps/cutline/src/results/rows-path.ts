import { extname } from 'node:path';
import { fileFormats } from '../export/formats.ts';

/**
 * The file of rows from which another is made, beside it: `captions.jsonl` of `captions.csv` and of
 * `captions.html`. It is what a later call goes on with, and what is reviewed.
 */
export function rowsPath(file: string): string {
  const ending = extname(file);
  return isMade(ending) ? `${file.slice(0, -ending.length)}.jsonl` : file;
}

function isMade(ending: string): boolean {
  const name = ending.slice(1).toLowerCase();
  return name === 'html' || (name !== 'jsonl' && Object.hasOwn(fileFormats, name));
}
