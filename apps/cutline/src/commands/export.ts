import { pipeline } from 'node:stream/promises';
import { makeFolder } from '@cutline/pipeline';
import { type FailureClass, failureClasses, UserError } from '@cutline/shared/errors';
import {
  minScoreOption,
  type PartRow,
  type RunState,
  readReviews,
  readRunState,
} from '@cutline/shared/run';
import { parsePlace, type StorePool } from '@cutline/shared/stores';
import { type Command, Option } from 'commander';
import {
  type ExportedRow,
  type FileFormat,
  fileFormats,
  pageEnding,
  parseLink,
  type RowBatches,
  selectRows,
  writePages,
} from '../export/index.ts';
import { formatCount, formatQuantity } from '../format.ts';
import { requireWritable } from '../require-writable.ts';
import { addRunArguments, withRun } from '../run-context.ts';
import { createStatusLine } from '../status-line.ts';
import { writeWhole } from '../write-whole.ts';

interface ExportFlags {
  to: keyof typeof fileFormats | 'iiif';
  file?: string;
  status?: PartRow['status'][];
  class?: FailureClass[];
  minScore?: number;
  reviewed?: boolean;
  bom?: boolean;
  link?: string;
  pages?: string;
}

export function addExport(program: Command): void {
  const command = program
    .command('export')
    .description('Write the results of a run for spreadsheets, databases and IIIF viewers.')
    .addOption(
      new Option('--to <format>', 'csv, xlsx, parquet, jsonl (whole rows) or iiif (annotations)')
        .choices([...Object.keys(fileFormats), 'iiif'])
        .makeOptionMandatory(),
    )
    .option('-o, --file <path>', 'where to put it; of iiif a folder or s3://bucket/prefix')
    .addOption(
      new Option('--status <statuses...>', 'only these: captioned, skipped, failed').choices([
        'captioned',
        'skipped',
        'failed',
      ] satisfies PartRow['status'][]),
    )
    .addOption(
      new Option('--class <classes...>', 'only failures of these classes').choices(failureClasses),
    )
    .addOption(
      minScoreOption('only captions with this score or more, and those that people judged'),
    )
    .option('--reviewed', 'only what people have judged')
    .option('--bom', 'begin the CSV with a byte order mark, by which Excel knows UTF-8')
    .option('--link <url>', 'of iiif: what is described: https://…/{key}, an image or a canvas')
    .option('--pages <url>', `of iiif: where its pages will be (default: <link>${pageEnding})`)
    .addHelpText('after', '\nWithout -o it goes to standard output. See docs/EXPORT.md.');
  addRunArguments(command).action(
    async (name: string, flags: ExportFlags & Record<string, unknown>) => {
      checkFlags(flags);
      await withRun(name, flags, async ({ run, stores }) => {
        const state = await readRunState(run);
        const reviews = await readReviews(run);
        const { status, class: classes, minScore: scoreMin, reviewed } = flags;
        const rows = selectRows({ run, state, reviews }, { status, classes, scoreMin, reviewed });
        const said =
          flags.to === 'iiif'
            ? await exportPages(rows, flags, state, stores)
            : await exportFile(rows, flags, fileFormats[flags.to], { run: name, source: run.url });
        process.stderr.write(`${said}\n`);
        if (!state.summary) {
          process.stderr.write(`Run ${name} is not finished: this is what it has so far.\n`);
        }
      });
    },
  );
}

/** @throws UserError for flags that say nothing together. */
function checkFlags({ to, bom, link, pages, file, status, class: classes, minScore }: ExportFlags) {
  if (bom && to !== 'csv') throw new UserError('--bom is for --to csv.');
  if (to === 'iiif' && (link === undefined || file === undefined)) {
    throw new UserError(
      '--to iiif takes --link https://…/{key}, what the annotations are about, and -o, a folder ' +
        'or s3://bucket/prefix to put them in.',
    );
  }
  if (to !== 'iiif' && (link !== undefined || pages !== undefined)) {
    throw new UserError('--link and --pages are for --to iiif.');
  }
  if (classes && status && !status.includes('failed')) {
    throw new UserError('--class is about failures: add --status failed, or leave --status out.');
  }
  if (minScore !== undefined && (classes || (status && !status.includes('captioned')))) {
    throw new UserError('--min-score is about captions, and these have none: leave it out.');
  }
}

/** @returns what was done, in a line. */
async function exportFile(
  rows: RowBatches,
  { file, bom = false }: ExportFlags,
  { isBinary, isOwn, write }: FileFormat,
  metadata: Record<string, string>,
): Promise<string> {
  const passing = new Passing(rows);
  const chunks = write(passing, { bom, metadata });
  if (file === undefined) {
    if (isBinary && process.stdout.isTTY) {
      throw new UserError('That is nothing for a terminal: give a file, -o <path>.');
    }
    await pipeline(chunks, process.stdout, { end: false });
    return formatQuantity(passing.count, 'row');
  }
  if (/^s3:/i.test(file)) throw new UserError(`${file}: expected a file on this machine.`);
  await requireWritable(file, isOwn);
  await writeWhole(file, chunks);
  return `${file}: ${formatQuantity(passing.count, 'row')}`;
}

/** The same, of annotation pages. */
async function exportPages(
  rows: RowBatches,
  { file = '', link = '', pages = `${link}${pageEnding}` }: ExportFlags,
  { run: { created } }: RunState,
  stores: StorePool,
): Promise<string> {
  const [targetOf, pageOf] = [parseLink(link, '--link'), parseLink(pages, '--pages')];
  const { store: url, prefix } = parsePlace(file);
  await makeFolder(url);
  const store = await stores.open(url);
  await store.check();
  const { written, unchanged, removed, kept, refused } = await writePages(
    new Passing(rows),
    { store, prefix },
    { placesOf: (key) => ({ target: targetOf(key), id: pageOf(key) }), created },
  );
  return [
    `${file}: ${formatQuantity(written, 'page')} written`,
    unchanged > 0 ? `${formatCount(unchanged)} there already` : '',
    removed > 0 ? `${formatCount(removed)} removed, whose captions were rejected` : '',
    kept > 0 ? `${formatCount(kept)} kept, which are not Cutline's or were edited` : '',
    refused > 0 ? `${formatCount(refused)} of keys that cannot be stored there` : '',
  ]
    .filter(Boolean)
    .join(', ');
}

/** Counts rows as they pass, and shows how many. */
class Passing {
  count = 0;
  readonly #rows: RowBatches;

  constructor(rows: RowBatches) {
    this.#rows = rows;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly ExportedRow[]> {
    const status = createStatusLine(process.stderr);
    try {
      for await (const batch of this.#rows) {
        yield batch;
        this.count += batch.length;
        status.show(formatQuantity(this.count, 'row'));
      }
    } finally {
      status.clear();
    }
  }
}
