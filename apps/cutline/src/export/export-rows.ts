import { pipeline } from 'node:stream/promises';
import { makeFolder } from '@cutline/pipeline';
import { UserError } from '@cutline/shared/errors';
import type { Selection } from '@cutline/shared/run';
import { parsePlace, type StorePool } from '@cutline/shared/stores';
import { requireWritable } from '../files/require-writable.ts';
import { writeWhole } from '../files/write-whole.ts';
import { formatCount, formatQuantity } from '../terminal/format.ts';
import { createStatusLine } from '../terminal/status-line.ts';
import type { ExportedRow, RowBatches } from './columns.ts';
import { type FileFormat, fileFormats } from './formats.ts';
import { parseLink } from './link.ts';
import { pageEnding, writePages } from './write-pages.ts';

/** Where rows go, as the user says it. */
export interface Destination {
  to: keyof typeof fileFormats | 'iiif';
  /** A file; of iiif a folder, or a place in a bucket. Absent: standard output. */
  into?: string;
  /** Of csv: whether it begins with a byte order mark. */
  bom?: boolean;
  /** Of iiif: patterns of URLs, of what is annotated and of the pages. */
  link?: string;
  pages?: string;
}

/** What rows are from. */
export interface Exported {
  origin: Origin;
  /** What was asked for, where that is known: rows carry columns of a list of keys. */
  request: { selection: Pick<Selection, 'carry'> } | undefined;
}

export interface Origin extends Record<string, string> {
  source: string;
  /** When they were asked for, or written: ISO 8601, UTC. */
  created: string;
}

/**
 * @returns what was done, in a line
 * @throws UserError where it cannot be written there
 */
export async function exportRows(
  rows: RowBatches,
  destination: Destination,
  { origin, request }: Exported,
  stores: StorePool,
): Promise<string> {
  const { to } = destination;
  const passing = new Passing(rows);
  if (to === 'iiif') return exportPages(passing, destination, origin, stores);
  return exportFile(passing, destination, fileFormats[to], {
    metadata: origin,
    carried: request?.selection.carry ?? [],
  });
}

async function exportFile(
  rows: Passing,
  { into: file, bom = false }: Destination,
  { isBinary, isOwn, write }: FileFormat,
  about: { metadata: Origin; carried: readonly string[] },
): Promise<string> {
  const chunks = write(rows, { bom, ...about });
  if (file === undefined) {
    if (isBinary && process.stdout.isTTY) {
      throw new UserError('That is nothing for a terminal: give a file, -o <path>.');
    }
    await pipeline(chunks, process.stdout, { end: false });
    return formatQuantity(rows.count, 'row');
  }
  if (/^s3:/i.test(file)) throw new UserError(`${file}: expected a file on this machine.`);
  await requireWritable(file, isOwn);
  await writeWhole(file, chunks);
  return `${file}: ${formatQuantity(rows.count, 'row')}`;
}

async function exportPages(
  rows: Passing,
  { into: file = '', link = '', pages = `${link}${pageEnding}` }: Destination,
  { created }: Origin,
  stores: StorePool,
): Promise<string> {
  const [targetOf, pageOf] = [parseLink(link, '--link'), parseLink(pages, '--pages')];
  const { store: url, prefix } = parsePlace(file);
  await makeFolder(url);
  const store = await stores.open(url);
  await store.check();
  const { written, unchanged, removed, kept, refused } = await writePages(
    rows,
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
