import { terminalColumns } from '@cutline/shared/process';
import { wrapLines } from './fit-text.ts';

/**
 * Prints sentences and what stands in lines below them: on a terminal wrapped at words to its width,
 * elsewhere each line whole, for grep and for files.
 *
 * @param text without the last line's end
 */
export function say(stream: NodeJS.WriteStream, text: string): void {
  stream.write(`${fit(stream, text)}\n`);
}

export function fit(stream: NodeJS.WriteStream, text: string): string {
  const columns = terminalColumns(stream);
  return columns === undefined ? text : wrapLines(text, columns);
}
