import type { Writable } from 'node:stream';
import { terminalColumns } from '@cutline/shared/process';
import type { ResultRow } from '@cutline/shared/run';
import { CaptionTable } from './caption-table.ts';

/**
 * Prints rows as they come: JSON Lines for machines, a table for people.
 * @param write prints lines, where that is not for the stream to do
 */
export function rowPrinter(
  stream: Writable,
  { json }: { json: boolean },
  write = (lines: string): unknown => stream.write(lines),
) {
  const table = new CaptionTable(terminalColumns(stream as Partial<NodeJS.WriteStream>));
  return (rows: readonly ResultRow[]): void => {
    if (rows.length === 0) return;
    write(json ? formatJsonLines(rows) : table.format(rows));
  };
}

export function formatJsonLines(rows: readonly ResultRow[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

/** Whether a file seems to have rows in it: as they are written, keys first. */
export function isRows(head: string): boolean {
  return /^\{"(key|status)":"/.test(head);
}
