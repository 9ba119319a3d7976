import { extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '@cutline/shared/errors';
import { fileFormats } from '../export/index.ts';
import { requireWritable } from '../files/require-writable.ts';
import { requireGalleryFile } from '../gallery/index.ts';
import { papersPath, rowsPath } from '../results/index.ts';

export type RowFormat = keyof typeof fileFormats;

export interface OutputFlags {
  into?: string;
  format?: RowFormat;
  json?: boolean;
  gallery?: string;
  link?: string;
}

/** Where captions go: rows, and what is made of them when all are there. */
export interface Outputs {
  /** The file that is gone on with; undefined where rows are printed. */
  rows: string | undefined;
  /** What is printed where there is no file: undefined is a table. */
  printed: 'jsonl' | 'csv' | undefined;
  /** What is made of the file of rows: CSV, say. */
  table: { file: string; to: RowFormat } | undefined;
  /** The first page. */
  gallery: string | undefined;
}

/**
 * Rows are always kept as such, one a line, and everything else is made of them: `-o captions.csv`
 * has them in `captions.jsonl` beside it.
 *
 * @throws UserError for what contradicts itself
 */
export function planOutputs(flags: OutputFlags): Outputs {
  const outputs = outputsOf(flags);
  const { rows, table, gallery } = outputs;
  const others = [rows, table?.file].flatMap((file) => (file === undefined ? [] : resolve(file)));
  if (gallery !== undefined && others.includes(resolve(gallery))) {
    throw new UserError(
      `--gallery ${gallery} would take the place of captions that are written there: give it ` +
        'another name.',
    );
  }
  return outputs;
}

function outputsOf({ into, format, json, gallery, link }: OutputFlags): Outputs {
  if (link !== undefined && gallery === undefined) {
    throw new UserError('--link is of a page: give --gallery <page.html>, too.');
  }
  if (json && format !== undefined && format !== 'jsonl') {
    throw new UserError('--json is --format jsonl: give one of the two.');
  }
  if (into === undefined) {
    const rows = gallery === undefined ? undefined : rowsPath(gallery, 'html');
    const printed = json ? 'jsonl' : format;
    if (printed === 'xlsx' || printed === 'parquet') {
      throw new UserError(`--format ${printed} takes -o <file>, to write it to.`);
    }
    if (rows !== undefined && printed !== undefined) {
      throw new UserError(
        `With --gallery, rows go to ${rows}: give -o <file>, or leave --${json ? 'json' : 'format'} out.`,
      );
    }
    return { rows, printed, table: undefined, gallery };
  }
  const to = format ?? (json ? 'jsonl' : formatOf(into));
  if (to === undefined || to === 'jsonl') {
    return { rows: into, printed: undefined, table: undefined, gallery };
  }
  return { rows: rowsPath(into, to), printed: undefined, table: { file: into, to }, gallery };
}

function formatOf(file: string): RowFormat | undefined {
  const ending = extname(file).slice(1).toLowerCase();
  return Object.hasOwn(fileFormats, ending) ? (ending as RowFormat) : undefined;
}

/** @throws UserError where what is made cannot be written: said before anything is captioned. */
export async function requireOutputs({ table, gallery }: Outputs): Promise<void> {
  if (table) await requireWritable(table.file, fileFormats[table.to].isOwn);
  if (gallery !== undefined) await requireGalleryFile(gallery);
}

/**
 * Whether a key of a folder is something that this very command writes there, and no image of it.
 * @param store URL of the folder
 */
export function isOutput({ rows, table, gallery }: Outputs, store: string) {
  const files = [rows, table?.file, gallery].filter((file) => file !== undefined);
  const paths = new Set(files.map((file) => resolve(file)));
  const papers = rows === undefined ? undefined : resolve(papersPath(rows));
  const pages = gallery === undefined ? undefined : pagePattern(resolve(gallery));
  if (!store.startsWith('file:') || files.length === 0) return () => false;
  const root = fileURLToPath(store);
  return (key: string): boolean => {
    const path = resolve(root, key);
    return paths.has(path) || pages?.test(path) === true || path.startsWith(`${papers}/`);
  };
}

/** Of the pages after the first: `gallery-2.html`. */
function pagePattern(first: string): RegExp {
  const ending = extname(first);
  const literal = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  const stem = first.slice(0, first.length - ending.length);
  return new RegExp(`^${literal(stem)}-\\d+${literal(ending)}$`);
}
