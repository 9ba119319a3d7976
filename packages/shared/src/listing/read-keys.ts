import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { parse as parseCsv } from 'csv-parse';
import { z } from 'zod';
import { describeError, UserError } from '../errors.ts';
import { type ObjectStore, openStore, parseObjectLocation } from '../stores/index.ts';

/** A key as listed; what a list of keys does not say is undefined. */
export interface ListedKey {
  key: string;
  etag?: string | undefined;
  bytes?: number | undefined;
  /** The list named this key before. */
  duplicate?: boolean | undefined;
}

const jsonKeySchema = z.union([
  z.string().min(1),
  z.looseObject({ key: z.string().min(1), etag: z.string().optional() }),
]);

/**
 * Reads a list of keys, one row at a time. The format follows from the name: `.jsonl` or `.ndjson`
 * (objects with `key`, or strings), `.csv` or `.tsv` (a column named `key`, else the first), and
 * otherwise lines, where those that start with `{` or `"` are JSON. Keys may be written as whole
 * s3:// URLs of the source.
 *
 * Keys are remembered, to mark repetitions: about 150 MB for a million of them.
 *
 * @param from a path, an s3:// URL, or `-` for stdin.
 * @throws UserError naming the line that is wrong.
 */
export async function* readKeys(from: string, source: ObjectStore): AsyncGenerator<ListedKey> {
  const seen = new Set<string>();
  const extension = extname(from).toLowerCase();
  const stream = await openList(from);
  const rows =
    extension === '.csv' || extension === '.tsv'
      ? readCsv(stream, from, extension === '.tsv' ? '\t' : ',')
      : readLines(stream, from);
  for await (const row of rows) {
    const key = withoutStore(row.key, source);
    yield { ...row, key, duplicate: seen.has(key) };
    seen.add(key);
  }
}

async function openList(from: string): Promise<Readable> {
  if (from === '-') return process.stdin;
  try {
    if (from.startsWith('s3://')) {
      const { store: url, key } = parseObjectLocation(from);
      const store = await openStore(url);
      const { bytes } = await store.get(key);
      store.close();
      return Readable.from([bytes]);
    }
    const stream = createReadStream(from);
    await new Promise((resolve, reject) => stream.once('open', resolve).once('error', reject));
    return stream;
  } catch (error) {
    throw new UserError(`Cannot read the list of keys ${from}: ${describeError(error)}.`);
  }
}

async function* readLines(stream: Readable, from: string): AsyncGenerator<ListedKey> {
  let number = 0;
  for await (const line of createInterface({
    input: stream,
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    number += 1;
    if (line.trim() === '') continue;
    if (!line.startsWith('{') && !line.startsWith('"')) {
      yield { key: line };
      continue;
    }
    const parsed = jsonKeySchema.safeParse(parseJson(line));
    if (!parsed.success) {
      throw new UserError(
        `${from}, line ${number}: expected {"key": "…"} or a string, found ${line.slice(0, 60)}`,
      );
    }
    yield typeof parsed.data === 'string' ? { key: parsed.data } : pickKey(parsed.data);
  }
}

function pickKey({ key, etag }: { key: string; etag?: string | undefined }): ListedKey {
  return { key, etag };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function* readCsv(
  stream: Readable,
  from: string,
  delimiter: string,
): AsyncGenerator<ListedKey> {
  const rows = stream.pipe(
    parseCsv({ delimiter, bom: true, skip_empty_lines: true, relax_column_count: true }),
  );
  let column: number | undefined;
  try {
    for await (const row of rows as AsyncIterable<string[]>) {
      if (column === undefined) {
        const named = row.findIndex((cell) => cell.trim().toLowerCase() === 'key');
        column = Math.max(0, named);
        if (named >= 0) continue;
      }
      const key = row[column];
      if (key) yield { key };
    }
  } catch (error) {
    throw new UserError(`${from}: ${describeError(error)}`);
  }
}

function withoutStore(key: string, source: ObjectStore): string {
  return key.startsWith(`${source.url}/`) ? key.slice(source.url.length + 1) : key;
}
