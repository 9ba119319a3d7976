import { UserError } from '../../../errors.ts';
import type { ObjectStore } from '../../../stores/object-store.ts';
import { StorePool } from '../../../stores/store-pool.ts';
import type { WantedColumns } from '../list-columns.ts';
import { copyToDisk, type ListFile, objectFile, piecesOf } from '../list-file.ts';
import { type KnownList, recognise } from '../list-format.ts';
import type { ListRow } from '../list-row.ts';
import type { OpenList, Stores } from '../open-list.ts';
import { parseTable } from '../read-table.ts';
import { type InventoryManifest, parseInventory } from './inventory-manifest.ts';
import { InventoryRows } from './inventory-rows.ts';

/** An inventory is a listing of its bucket: what it is read for. */
export interface InventoryRequest extends WantedColumns {
  source: ObjectStore;
  prefix?: string;
  stores?: Stores | undefined;
}

/**
 * The objects of a bucket as an S3 Inventory lists them. Its files are copied to this machine's
 * disk, one after another, and held against their MD5 before any key of them is taken.
 *
 * @throws UserError for an inventory of another bucket, one in ORC, or one that is damaged
 */
export async function* readInventory(
  list: OpenList,
  known: KnownList,
  request: InventoryRequest,
): AsyncGenerator<ListRow[]> {
  const { name } = list;
  const manifest = await openInventory(list, known, request);
  const { prefix = '', source, stores } = request;
  const url = `s3://${manifest.destinationBucket.replace(/^.*:/, '')}`;
  const own = url === source.url || stores ? undefined : new StorePool();
  try {
    const store = url === source.url ? source : await (stores ?? own!).open(url);
    for (const file of manifest.files) {
      const copy = await copyChecked(store, file, name);
      try {
        for await (const rows of rowsOf(copy, `${url}/${file.key}`, manifest, request)) {
          yield rows.filter(({ key }) => key.startsWith(prefix));
        }
      } finally {
        await copy.close();
      }
    }
  } finally {
    await own?.close();
  }
}

/** Makes sure that an inventory is one of the source, and can be read. @throws UserError */
export async function requireInventory(
  list: OpenList,
  known: KnownList,
  request: InventoryRequest,
): Promise<void> {
  const { fileFormat, fileSchema } = await openInventory(list, known, request);
  if (fileFormat === 'CSV') rowsOfCsv(fileSchema, list.name, request);
}

async function openInventory(
  list: OpenList,
  known: KnownList,
  { source }: InventoryRequest,
): Promise<InventoryManifest> {
  const manifest = await parseInventory(known, list.name);
  if (source.url === `s3://${manifest.sourceBucket}`) return manifest;
  throw new UserError(
    `${list.name} is an inventory of s3://${manifest.sourceBucket}, and this run's images are in ` +
      `${source.url}.`,
  );
}

async function copyChecked(
  store: ObjectStore,
  { key, MD5checksum }: InventoryManifest['files'][number],
  inventory: string,
): Promise<ListFile> {
  const info = await store.head(key);
  if (!info) {
    throw new UserError(
      `The inventory ${inventory} names ${store.url}/${key}, which is not there: has a lifecycle ` +
        'rule removed it? Take a newer inventory.',
    );
  }
  const { file, md5 } = await copyToDisk(piecesOf(objectFile(store, info)));
  if (md5 === MD5checksum.toLowerCase()) return file;
  await file.close();
  throw new UserError(
    `${store.url}/${key} is not as the inventory ${inventory} describes it: its MD5 is ${md5}, and ` +
      `should be ${MD5checksum}.`,
  );
}

function rowsOfCsv(fileSchema: string, name: string, wanted: WantedColumns): InventoryRows {
  const names = fileSchema.split(',').map((column) => column.trim());
  return new InventoryRows(names, { name, wanted, isEncoded: true });
}

async function* rowsOf(
  file: ListFile,
  name: string,
  { fileFormat, fileSchema }: InventoryManifest,
  wanted: WantedColumns,
): AsyncGenerator<ListRow[]> {
  if (fileFormat === 'Parquet') {
    const { openParquet } = await import('../parquet/open-parquet.ts');
    const { names, blocks } = await openParquet(file, name);
    const rows = new InventoryRows(names, { name, wanted, isEncoded: false });
    for await (const { start, rows: count, cell } of blocks(rows.places)) {
      const found: ListRow[] = [];
      for (let i = 0; i < count; i++) {
        const where = () => `${name}, row ${start + i + 1}`;
        const row = rows.read(start + i + 1, (n) => cell(n, i), where);
        if (row) found.push(row);
      }
      yield found;
    }
    return;
  }
  const rows = rowsOfCsv(fileSchema, name, wanted);
  const close = async () => {};
  const { pieces } = await recognise({ name, pieces: piecesOf(file), file, close });
  for await (const records of parseTable(pieces, { delimiter: ',' })) {
    const found: ListRow[] = [];
    for (const { record, info } of records) {
      const where = () => `${name}, line ${info.lines}`;
      const row = rows.read(info.lines, (n) => record[rows.places[n] ?? -1], where);
      if (row) found.push(row);
    }
    yield found;
  }
}
