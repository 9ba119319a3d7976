import { type ResultRow, wholeNumber } from '@cutline/shared/run';
import type { Command } from 'commander';
import { formatQuantity } from '../format.ts';
import { rowPrinter } from '../print-rows.ts';
import { addResultsArguments, withRows } from '../results/index.ts';

export function addResults(program: Command): void {
  const command = program
    .command('results')
    .description('Print what a run has so far: image, caption and score, or whole rows.')
    .option('--json', 'print whole rows as JSON Lines')
    .option('--limit <n>', 'the first n images', wholeNumber({ min: 1 }));
  addResultsArguments(command).action(async (name: string, options) => {
    const limit: number = options.limit ?? Number.POSITIVE_INFINITY;
    await withRows(name, options, async (title, rows) => {
      const print = rowPrinter(process.stdout, { json: options.json ?? false });
      const { shown, more } = await printFirst(rows, limit, print);
      if (more) process.stderr.write(`  … (the first ${formatQuantity(shown, 'image')})\n`);
      if (shown === 0) process.stderr.write(`${title} has no results yet.\n`);
    });
  });
}

/** @returns how many rows were printed, and whether there are others. */
async function printFirst(
  batches: AsyncIterable<ResultRow[]>,
  limit: number,
  print: (rows: readonly ResultRow[]) => void,
): Promise<{ shown: number; more: boolean }> {
  let shown = 0;
  for await (const rows of batches) {
    const wanted = rows.slice(0, limit - shown);
    print(wanted);
    shown += wanted.length;
    if (wanted.length < rows.length) return { shown, more: true };
  }
  return { shown, more: false };
}
