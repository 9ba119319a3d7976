import { extname } from 'node:path';
import { fileFormats } from '../export/formats.ts';

/**
 * The file of rows from which another is made, beside it: `captions.jsonl` of `captions.csv` and of
 * `captions.html`. It is what a later call goes on with, and what is reviewed.
 *
 * @param made what the file is, where its ending need not say so
 */
export function rowsPath(file: string, made?: string): string {
  const ending = extname(file);
  if (isMade(ending.slice(1).toLowerCase())) {
    return `${file.slice(0, file.length - ending.length)}.jsonl`;
  }
  return made === undefined ? file : `${file}.jsonl`;
}

function isMade(format: string): boolean {
  return format === 'html' || (format !== 'jsonl' && Object.hasOwn(fileFormats, format));
}
