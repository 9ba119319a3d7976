import { UserError } from '../../../errors.ts';
import {
  carriedOf,
  findKeyColumn,
  placeOf,
  requireColumns,
  type WantedColumns,
} from '../list-columns.ts';
import type { ListFile } from '../list-file.ts';
import type { ListRow } from '../list-row.ts';
import { openParquet } from './open-parquet.ts';

/**
 * A list of keys in Parquet: the keys are in the column that is called so, or in the only one.
 *
 * @throws UserError naming a column that is wanted, and not there
 */
export async function* readParquet(
  file: ListFile,
  name: string,
  wanted: WantedColumns,
): AsyncGenerator<ListRow[]> {
  const table = await openParquet(file, name);
  const { names } = table;
  const found = findKeyColumn(names, wanted, name);
  if (found < 0 && names.length !== 1) {
    throw new UserError(
      `The list of keys ${name} has no column "key", "filename" or "path": say which one has the ` +
        `keys, with --key-column; its columns are ${names.join(', ')}.`,
    );
  }
  requireColumns(wanted, names, name);
  const others = [...new Set([...(wanted.columns ?? []), ...(wanted.carry ?? [])])];
  const places = [Math.max(0, found), ...others.map((each) => placeOf(names, each))];
  const placeIn = new Map(others.map((each, n) => [each, n + 1]));
  for await (const { start, rows: count, cell } of table.blocks(places)) {
    const rows: ListRow[] = [];
    for (let i = 0; i < count; i++) {
      const at = start + i + 1;
      const key = cell(0, i);
      const cellOf = (column: string) => cell(placeIn.get(column) as number, i);
      const where = () => `${name}, row ${at}`;
      if (key === null || key === undefined || key === '') continue; // as an empty cell of a table
      if (typeof key !== 'string') {
        throw new UserError(`${where()}: the key is no text, but ${String(key).slice(0, 60)}.`);
      }
      rows.push({ at, key, ...carriedOf(wanted, cellOf, where) });
    }
    yield rows;
  }
}
