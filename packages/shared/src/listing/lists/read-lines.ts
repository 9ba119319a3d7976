import { z } from 'zod';
import { UserError } from '../../errors.ts';
import { carriedOf, findKeyColumn, requireColumns, type WantedColumns } from './list-columns.ts';
import type { ListRow } from './list-row.ts';
import { splitLines } from './split-lines.ts';

/** Rows of a manifest or of a run's results will do as well as objects with a key alone. */
const fieldsSchema = z.looseObject({
  etag: z.string().nullish(),
  bytes: z.int().nonnegative().nullish(),
});

const keySchema = z.string().min(1);

/**
 * Lines of a text: a key each, or JSON where they start with `{` or `"` (objects with a key, or
 * strings).
 *
 * @param name of the list, for messages
 * @throws UserError naming the line that is wrong
 */
export async function* readLines(
  pieces: AsyncIterable<Uint8Array>,
  name: string,
  wanted: WantedColumns,
): AsyncGenerator<ListRow[]> {
  const names = new AwaitedNames(wanted, name);
  let line = 0;
  for await (const lines of splitLines(pieces, name)) {
    const rows: ListRow[] = [];
    for (const text of lines) {
      line += 1;
      if (text.trim() === '') continue;
      const isJson = text.startsWith('{') || text.startsWith('"');
      rows.push(
        isJson ? readJson(text, { at: line, name, wanted, names }) : { at: line, key: text },
      );
    }
    yield names.hold(rows);
  }
  yield names.finish();
}

function readJson(text: string, { at, name, wanted, names }: JsonContext): ListRow {
  const where = () => `${name}, line ${at}`;
  const value = parseJson(text);
  const fields = fieldsSchema.safeParse(value);
  if (fields.success) {
    const own = Object.keys(fields.data);
    names.add(own);
    const key = keySchema.safeParse(fields.data[own[findKeyColumn(own, wanted, where())] ?? '']);
    if (key.success) {
      const { etag, bytes } = fields.data;
      const carried = carriedOf(wanted, (column) => fields.data[column], where);
      return { at, key: key.data, etag: etag ?? undefined, bytes: bytes ?? undefined, ...carried };
    }
  }
  const key = keySchema.safeParse(value);
  if (key.success) return { at, key: key.data };
  throw new UserError(`${where()}: expected {"key": "…"} or a string, found ${text.slice(0, 60)}`);
}

interface JsonContext {
  at: number;
  name: string;
  wanted: WantedColumns;
  names: AwaitedNames;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Holds rows back until every column that is to be carried was seen in some line: objects need not
 * all have the same fields, and a name that none of the first thousand has is taken for a mistake.
 */
class AwaitedNames {
  readonly #wanted: WantedColumns;
  readonly #list: string;
  readonly #seen = new Set<string>();
  #isSure: boolean;
  #held: ListRow[] = [];

  constructor({ carry = [] }: WantedColumns, list: string) {
    this.#wanted = { carry };
    this.#list = list;
    this.#isSure = carry.length === 0;
  }

  add(names: readonly string[]): void {
    if (this.#isSure) return;
    for (const name of names) this.#seen.add(name);
    this.#isSure = (this.#wanted.carry ?? []).every((name) => this.#seen.has(name));
  }

  hold(rows: ListRow[]): ListRow[] {
    if (this.#isSure && this.#held.length === 0) return rows;
    this.#held.push(...rows);
    if (this.#isSure) return this.#release();
    if (this.#held.length >= rowsHeldMax) this.#require();
    return [];
  }

  finish(): ListRow[] {
    if (!this.#isSure && this.#held.length > 0) this.#require();
    return this.#release();
  }

  #require(): void {
    requireColumns(this.#wanted, [...this.#seen], this.#list);
  }

  #release(): ListRow[] {
    const rows = this.#held;
    this.#held = [];
    return rows;
  }
}

const rowsHeldMax = 1_000;
