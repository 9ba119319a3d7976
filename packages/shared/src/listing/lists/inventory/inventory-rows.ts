import { UserError } from '../../../errors.ts';
import { decodeKey, isArchive, plainEtag } from '../../../stores/s3/s3-listed.ts';
import { carriedOf, requireColumns, type WantedColumns } from '../list-columns.ts';
import type { ListRow } from '../list-row.ts';

/**
 * What a row of an inventory says of an object, by the names of columns: `ETag` in CSV is `e_tag` in
 * Parquet. Old versions and delete markers are no objects that a listing would have.
 */
export class InventoryRows {
  /** Of the columns that are read, in the files. */
  readonly places: readonly number[];
  /** By the plain name of a column, which of `places` it is. */
  readonly #places: Map<string, number>;
  readonly #wanted: WantedColumns;
  readonly #isEncoded: boolean;

  /**
   * @param isEncoded whether keys are written as in URLs, as in CSV
   * @throws UserError where there is no column of keys, or of what is wanted besides
   */
  constructor(
    names: readonly string[],
    { name, wanted, isEncoded }: { name: string; wanted: WantedColumns; isEncoded: boolean },
  ) {
    this.#isEncoded = isEncoded;
    const { columns = [], carry = [] } = wanted;
    this.#wanted = { columns, carry };
    const own = names.map(plain);
    const asked = [...columns, ...carry];
    if (!own.includes('key')) {
      throw new UserError(`The inventory ${name} has no column of keys, but ${names.join(', ')}.`);
    }
    const isThere = (each: string) => own.includes(plain(each));
    requireColumns(this.#wanted, [...asked.filter(isThere), ...names], name);
    const read = [...new Set([...columnsRead, ...asked.map(plain)])].filter(isThere);
    this.places = read.map((each) => own.indexOf(each));
    this.#places = new Map(read.map((each, n) => [each, n]));
  }

  /**
   * @param cell the value of the column that is the n-th of `places`
   * @returns undefined for what is no object now
   */
  read(at: number, cell: (n: number) => unknown, where: () => string): ListRow | undefined {
    const text = (name: Column) => {
      const place = this.#places.get(name);
      const value = place === undefined ? undefined : cell(place);
      return value === undefined || value === null || value === '' ? undefined : String(value);
    };
    if (text('islatest') === 'false' || text('isdeletemarker') === 'true') return undefined;
    const key = this.#keyOf(text('key') ?? '', where);
    const size = text('size');
    const bytes = size === undefined ? undefined : Number(size);
    if (bytes === 0 && key.endsWith('/')) return undefined; // a folder, to consoles
    if (bytes !== undefined && !(Number.isSafeInteger(bytes) && bytes >= 0)) {
      throw new UserError(`${where()}: expected a size, found ${size}.`);
    }
    const tier = text('intelligenttieringaccesstier') ?? '';
    const storageClass = text('storageclass');
    const archived = isArchive(storageClass) || /^(DEEP_)?ARCHIVE(_ACCESS)?$/.test(tier);
    const etag = text('etag');
    return {
      ...{ at, key, bytes, etag: etag === undefined ? undefined : plainEtag(etag) },
      ...(storageClass !== undefined && { storageClass }),
      ...(archived && { archived }),
      ...carriedOf(this.#wanted, (name) => cell(this.#places.get(plain(name)) as number), where),
    };
  }

  #keyOf(text: string, where: () => string): string {
    if (text === '') throw new UserError(`${where()}: expected a key, found nothing.`);
    if (!this.#isEncoded) return text;
    try {
      return decodeKey(text);
    } catch {
      throw new UserError(`${where()}: expected a key as in URLs, found ${text.slice(0, 60)}.`);
    }
  }
}

/** Without what tells the spelling of CSV from that of Parquet. */
function plain(name: string): string {
  return name.trim().replaceAll('_', '').toLowerCase();
}

const columnsRead = [
  'key',
  'islatest',
  'isdeletemarker',
  'size',
  'etag',
  'storageclass',
  'intelligenttieringaccesstier',
] as const;

type Column = (typeof columnsRead)[number];
