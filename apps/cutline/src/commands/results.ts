import { pipeline } from 'node:stream/promises';
import { UserError } from '@cutline/shared/errors';
import { wholeNumber } from '@cutline/shared/run';
import { type Command, Option } from 'commander';
import { type ExportedRow, fileFormats } from '../export/index.ts';
import { addResultsArguments, type FoundRows, withRows } from '../results/index.ts';
import { formatQuantity } from '../terminal/format.ts';
import { rowPrinter } from '../terminal/print-rows.ts';
import { say } from '../terminal/say.ts';
import { RowFilter, whereHelp } from '../where/index.ts';

const formats = ['table', 'jsonl', 'csv', 'parquet'] as const;

interface ResultsFlags {
  where?: RowFilter;
  format?: (typeof formats)[number];
  json?: true;
  limit?: number;
}

export function addResults(program: Command): void {
  const command = program
    .command('results')
    .description('Print what a run has so far: image, caption and score, or whole rows.')
    .addOption(
      new Option('--where <condition>', 'only such rows: see below').argParser(RowFilter.parse),
    )
    .addOption(
      new Option('--format <format>', 'table; jsonl: whole rows; csv or parquet: as of "export"')
        .choices(formats)
        .default(undefined, 'table'),
    )
    .option('--json', 'the same as --format jsonl')
    .option('--limit <n>', 'the first n images', wholeNumber({ min: 1 }))
    .addHelpText('after', whereHelp);
  addResultsArguments(command).action(
    async (name: string, flags: ResultsFlags & Record<string, unknown>) => {
      const format = formatOf(flags);
      const { where } = flags;
      await withRows(name, flags, where, async ({ title, rows, ...about }) => {
        const first = new FirstRows(rows, flags.limit ?? Number.POSITIVE_INFINITY);
        await print(first, format, about);
        const { shown, hasMore } = first;
        if (hasMore) process.stderr.write(`  … (the first ${formatQuantity(shown, 'image')})\n`);
        if (shown > 0) return;
        const none = where ? 'no such results' : 'no results yet';
        say(process.stderr, `${title} has ${none}.${where ? await strangers(where, about) : ''}`);
      });
    },
  );
}

/** What a condition asks of the list of keys, and no row carries: a slip of the hand, mostly. */
async function strangers(
  where: RowFilter,
  { carried }: Pick<FoundRows, 'carried'>,
): Promise<string> {
  if (where.carried.length === 0) return '';
  const names = await carried();
  const unknown = where.carried.filter((name) => !names.includes(name));
  if (unknown.length === 0) return '';
  const listed = (of: string[]) => of.map((name) => `source.${name}`).join(', ');
  const known = listed([...names]) || 'no columns of a list (--carry)';
  return ` Its rows carry ${known}, and so no ${listed(unknown)}.`;
}

/** @throws UserError where flags contradict each other */
function formatOf({ json, format }: ResultsFlags): (typeof formats)[number] {
  if (json && format && format !== 'jsonl') {
    throw new UserError(`--json is --format jsonl: choose that, or --format ${format}.`);
  }
  return json ? 'jsonl' : (format ?? 'table');
}

async function print(
  rows: FirstRows,
  format: (typeof formats)[number],
  { source, carried }: Pick<FoundRows, 'source' | 'carried'>,
): Promise<void> {
  if (format === 'csv' || format === 'parquet') {
    const { isBinary, write } = fileFormats[format];
    if (isBinary && process.stdout.isTTY) {
      throw new UserError('That is nothing for a terminal: send it into a file, with > <path>.');
    }
    const chunks = write(rows, { bom: false, metadata: { source }, carried: await carried() });
    await pipeline(chunks, process.stdout, { end: false });
    return;
  }
  const printRows = rowPrinter(process.stdout, { json: format === 'jsonl' });
  for await (const batch of rows) printRows(batch.map(({ row }) => row));
}

/** The first so many rows, counted as they are taken. */
class FirstRows {
  shown = 0;
  /** Whether there are others. */
  hasMore = false;
  readonly #rows: FoundRows['rows'];
  readonly #limit: number;

  constructor(rows: FoundRows['rows'], limit: number) {
    this.#rows = rows;
    this.#limit = limit;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ExportedRow[]> {
    for await (const rows of this.#rows) {
      const wanted = rows.slice(0, this.#limit - this.shown);
      if (wanted.length > 0) yield wanted;
      this.shown += wanted.length;
      this.hasMore = wanted.length < rows.length;
      if (this.hasMore) return;
    }
  }
}
