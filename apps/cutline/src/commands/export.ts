import { extname } from 'node:path';
import { type FailureClass, failureClasses, UserError } from '@cutline/shared/errors';
import { minScoreOption, type PartRow, readReviews } from '@cutline/shared/run';
import { type Command, Option } from 'commander';
import {
  type Destination,
  exportRows,
  fileFormats,
  pageEnding,
  selectRows,
} from '../export/index.ts';
import { addInto } from '../files/into-option.ts';
import { addResultsArguments, reviewedRows, withResults } from '../results/index.ts';
import { RowFilter } from '../where/index.ts';

interface ExportFlags extends Destination {
  status?: PartRow['status'][];
  class?: FailureClass[];
  minScore?: number;
  reviewed?: boolean;
  where?: RowFilter;
}

export function addExport(program: Command): void {
  const command = program
    .command('export')
    .description('Write the results of a run for spreadsheets, databases and IIIF viewers.')
    .addOption(
      new Option('--to <format>', 'csv, xlsx, parquet, jsonl (whole rows) or iiif (annotations)')
        .choices([...Object.keys(fileFormats), 'iiif'])
        .makeOptionMandatory(),
    );
  addInto(command, '<path>', 'where to put it; of iiif a folder or s3://bucket/prefix', {
    formerly: 'file',
  })
    .addOption(
      new Option('--status <statuses...>', 'only these: captioned, skipped, failed').choices([
        'captioned',
        'skipped',
        'failed',
      ] satisfies PartRow['status'][]),
    )
    .addOption(
      new Option(
        '--class <classes...>',
        `only failures of these classes: ${failureClasses.join(', ')}`,
      ).choices(failureClasses),
    )
    .addOption(
      minScoreOption('only captions with this score or more, and those that people judged'),
    )
    .option('--reviewed', 'only what people have judged')
    .addOption(
      new Option('--where <condition>', 'only such rows: see "cutline results --help"').argParser(
        RowFilter.parse,
      ),
    )
    .option('--bom', 'begin the CSV with a byte order mark, by which Excel knows UTF-8')
    .option('--link <url>', 'of iiif: what is described: https://…/{key}, an image or a canvas')
    .option('--pages <url>', `of iiif: where its pages will be (default: <link>${pageEnding})`)
    .addHelpText('after', '\nWithout -o it goes to standard output. See docs/EXPORT.md.');
  addResultsArguments(command).action(
    async (name: string, flags: ExportFlags & Record<string, unknown>) => {
      checkFlags(flags);
      await withResults(name, flags, async ({ results, stores }) => {
        const { status, class: classes, minScore: scoreMin, reviewed, where } = flags;
        const rows = reviewedRows(results, await readReviews(results.papers));
        const wanted = selectRows(rows, { status, classes, scoreMin, reviewed, where });
        const said = await exportRows(wanted, flags, results, stores);
        process.stderr.write(`${said}\n`);
        if (!results.isFinished) {
          process.stderr.write(`Run ${name} is not finished: this is what it has so far.\n`);
        }
      });
    },
  );
}

/** @throws UserError for flags that say nothing together. */
function checkFlags({ to, bom, link, pages, into, status, class: classes, minScore }: ExportFlags) {
  if (bom && to !== 'csv') throw new UserError('--bom is for --to csv.');
  const ending = extname(into ?? '')
    .slice(1)
    .toLowerCase();
  if (to !== 'iiif' && ending !== to && Object.hasOwn(fileFormats, ending)) {
    throw new UserError(`${into} would not be what its name says: --to ${ending}, or -o *.${to}.`);
  }
  if (to === 'iiif' && (link === undefined || into === undefined)) {
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
