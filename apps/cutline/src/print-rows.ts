import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { PartRow } from '@cutline/shared';
import { formatTable } from './format.ts';

/** Writes rows as they come: JSON Lines for machines, a table for people. */
export interface RowPrinter {
  print(rows: readonly PartRow[]): void;
  /** Resolves when everything is written. */
  end(): Promise<void>;
}

export function createRowPrinter(stream: Writable, json: boolean): RowPrinter {
  const isStdout = stream === process.stdout;
  return {
    print(rows) {
      if (rows.length === 0) return;
      stream.write(
        json ? rows.map((row) => `${JSON.stringify(row)}\n`).join('') : `${formatRows(rows)}\n`,
      );
    },
    async end() {
      if (isStdout) return;
      stream.end();
      await finished(stream);
    },
  };
}

/** Image, caption and score; failures and skips say why in the caption's place. */
export function formatRows(rows: readonly PartRow[]): string {
  return formatTable(
    ['image', 'caption', 'score'],
    rows.map((row) => {
      if (row.status === 'captioned') return [row.key, row.caption, row.score.toFixed(2)];
      if (row.status === 'skipped') return [row.key, `(skipped: ${row.reason})`, ''];
      return [row.key, `(failed, ${row.failure.class}: ${row.failure.message})`, ''];
    }),
  );
}
