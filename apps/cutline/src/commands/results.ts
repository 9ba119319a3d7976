import { wholeNumber } from '@cutline/shared';
import type { Command } from 'commander';
import { formatCount } from '../format.ts';
import { createRowPrinter } from '../print-rows.ts';
import { readRows } from '../read-rows.ts';
import { addRunArguments, withRun } from '../run-context.ts';

export function addResults(program: Command): void {
  const command = program
    .command('results')
    .description('Print what a run has so far: image, caption and score, or whole rows.')
    .option('--json', 'print rows as JSON Lines')
    .option('--limit <n>', 'the first n images', wholeNumber(1));
  addRunArguments(command).action(async (name: string, options) => {
    await withRun(name, options, async ({ run }) => {
      await run.readRun();
      const printer = createRowPrinter(process.stdout, options.json ?? false);
      let left: number = options.limit ?? Number.POSITIVE_INFINITY;
      for await (const rows of readRows(run)) {
        printer.print(rows.slice(0, left));
        if (rows.length > left && !options.json) {
          process.stdout.write(`  … (the first ${formatCount(options.limit)})\n`);
        }
        left -= rows.length;
        if (left <= 0) break;
      }
    });
  });
}
