import { UserError } from '../../errors.ts';
import type { ObjectStore } from '../../stores/object-store.ts';
import { readInventory, requireInventory } from './inventory/read-inventory.ts';
import type { WantedColumns } from './list-columns.ts';
import { copyToDisk } from './list-file.ts';
import { extensionOf, type KnownList, recognise } from './list-format.ts';
import type { ListRow } from './list-row.ts';
import { cannotRead, type OpenList, openList, type Stores } from './open-list.ts';
import { readLines } from './read-lines.ts';
import { readTable, tableForm } from './read-table.ts';
import { SeenKeys } from './seen-keys.ts';

/** A key as listed; what a list of keys does not say is undefined. */
export interface ListedKey {
  key: string;
  etag?: string | undefined;
  bytes?: number | undefined;
  /** By name, those that were asked for and are there. */
  columns?: Record<string, string> | undefined;
  source?: Record<string, string> | undefined;
  /** As S3 names it. */
  storageClass?: string | undefined;
  /** It has to be restored first. */
  archived?: boolean | undefined;
  /** The list named this key before. */
  duplicate?: boolean | undefined;
}

/** What a list is asked for. */
export interface KeysRequest extends WantedColumns {
  /** A path, an s3:// URL, or `-` for stdin. */
  from: string;
  /** Where the images are, that it lists. */
  source: ObjectStore;
  /** Of the keys that an inventory is read for, which is a listing of its whole bucket. */
  prefix?: string;
  /** Opens the list's own store, where that is another than the source. */
  stores?: Stores | undefined;
}

/**
 * Streams a list of keys, one row at a time: the manifest of an S3 Inventory, Parquet, a table
 * (`.csv`, `.tsv`, or a text whose first line names a column of keys), and otherwise lines; as they
 * are, or compressed. Keys may be written as whole URLs of the source.
 *
 * Repetitions are marked, however long the list is: see `SeenKeys`.
 *
 * @throws UserError naming the row that is wrong
 */
export async function* readKeys(request: KeysRequest): AsyncGenerator<ListedKey> {
  const list = await openList(request.from, request.source, request.stores);
  const seen = new SeenKeys();
  try {
    const known = await recognise(list);
    for await (const rows of rowsOf(list, known, request)) {
      for (const { at, ...row } of rows) {
        const where = () => `${list.name}, ${unitOf(known)} ${at}`;
        const key = withoutStore(row.key, request.source, where);
        yield { ...row, key, duplicate: seen.add(key) };
      }
    }
  } catch (error) {
    throw error instanceof UserError ? error : cannotRead(list.name, error);
  } finally {
    seen.close();
    await list.close();
  }
}

/**
 * Makes sure that a list can be read, and has the columns that are wanted, before a run is begun
 * with it; no more is read than that takes, and of stdin nothing.
 *
 * @throws UserError
 */
export async function requireKeysList(request: KeysRequest): Promise<void> {
  if (request.from === '-') return;
  const list = await openList(request.from, request.source, request.stores);
  try {
    const known = await recognise(list);
    if (known.kind === 'inventory') await requireInventory(list, known, request);
    else for await (const rows of rowsOf(list, known, request)) if (rows.length > 0) break;
  } catch (error) {
    throw cannotRead(list.name, error);
  } finally {
    await list.close();
  }
}

async function* rowsOf(
  list: OpenList,
  known: KnownList,
  request: KeysRequest,
): AsyncGenerator<ListRow[]> {
  const { name } = list;
  if (known.kind === 'inventory') yield* readInventory(list, known, request);
  else if (known.kind === 'parquet') {
    // Whoever lists a bucket needs no reader of Parquet.
    const { readParquet } = await import('./parquet/read-parquet.ts');
    const copy = known.isAsStored && list.file ? undefined : (await copyToDisk(known.pieces)).file;
    try {
      yield* readParquet(copy ?? list.file!, name, request);
    } finally {
      await copy?.close();
    }
  } else {
    const head = known.head.toString(known.head[0] === 0xff ? 'utf16le' : 'utf8');
    const form = tableForm(head, { name, extension: extensionOf(name), wanted: request });
    if (form) yield* readTable(known.pieces, form, name, request);
    else yield* readLines(known.pieces, name, request);
  }
}

function unitOf({ kind }: KnownList): string {
  return kind === 'text' ? 'line' : 'row';
}

function withoutStore(key: string, source: ObjectStore, where: () => string): string {
  if (key.startsWith(`${source.url}/`)) return key.slice(source.url.length + 1);
  if (!/^s3:\/\//i.test(key)) return key;
  throw new UserError(`${where()}: ${key} is not in ${source.url}, where this run's images are.`);
}
