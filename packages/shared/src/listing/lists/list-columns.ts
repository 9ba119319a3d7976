import { UserError } from '../../errors.ts';

/** Which columns of a list are wanted: where its keys are, and what goes along with them. */
export interface WantedColumns {
  /** As the user names it; else it is found by its usual names. */
  keyColumn?: string | undefined;
  /** For places of the model's prompt. */
  columns?: readonly string[] | undefined;
  /** For rows of results. */
  carry?: readonly string[] | undefined;
}

/** How the column of keys may be called; the first that is there is it. */
const usualNames = ['key', 'filename', 'path'];

/**
 * @param names of the columns that there are
 * @returns the place of the column of keys; -1 where none has a usual name
 * @throws UserError where the one that the user named is not there
 */
export function findKeyColumn(
  names: readonly string[],
  { keyColumn }: WantedColumns,
  list: string,
): number {
  if (keyColumn === undefined) {
    return usualNames.map((name) => placeOf(names, name)).find((place) => place >= 0) ?? -1;
  }
  const place = placeOf(names, keyColumn);
  if (place < 0) throw noColumn(list, keyColumn, 'which --key-column names', names);
  return place;
}

/** The place of a column, whatever the case of its name; -1 where there is none. */
export function placeOf(names: readonly string[], name: string): number {
  const exact = names.indexOf(name);
  const wanted = name.trim().toLowerCase();
  return exact >= 0 ? exact : names.findIndex((each) => each.trim().toLowerCase() === wanted);
}

/** @throws UserError naming the first that is missing, and those that there are */
export function requireColumns(
  { columns = [], carry = [] }: WantedColumns,
  names: readonly string[],
  list: string,
): void {
  const isMissing = (name: string) => placeOf(names, name) < 0;
  const unfilled = columns.find(isMissing);
  if (unfilled !== undefined) {
    throw noColumn(list, unfilled, "for which the model's prompt has a place", names);
  }
  const uncarried = carry.find(isMissing);
  if (uncarried !== undefined) {
    throw noColumn(list, uncarried, 'which --carry asks for', names);
  }
}

function noColumn(list: string, name: string, why: string, names: readonly string[]): UserError {
  const shown = names.length > namesMax ? [...names.slice(0, namesMax), '…'] : names;
  const found = shown.length > 0 ? `its columns are ${shown.join(', ')}` : 'it names no columns';
  return new UserError(`The list of keys ${list} has no column "${name}", ${why}: ${found}.`);
}

const namesMax = 50;

/** What goes along with a key. */
export interface Carried {
  columns?: Record<string, string>;
  source?: Record<string, string>;
}

/** Of a cell, in characters: it goes into a prompt. */
const cellLengthMax = 2_000;

/** Of what a row carries, in bytes of JSON: it goes through Redis, and into every row of results. */
export const carriedBytesMax = 2_048;

/**
 * What a row of a list hands on, by the names that were asked for; empty cells are left out.
 * @throws UserError for a value that would not come out as it went in
 */
export function carriedOf(
  { columns = [], carry = [] }: WantedColumns,
  cellOf: (name: string) => unknown,
  where: () => string,
): Carried {
  if (columns.length === 0 && carry.length === 0) return {};
  const prompt = textsOf(columns, cellOf, where).map(([name, text]): [string, string] => [
    name,
    text.slice(0, cellLengthMax),
  ]);
  const kept = textsOf(carry, cellOf, where);
  const source = Object.fromEntries(kept);
  if (kept.length > 0) requireRoom(source, where);
  return {
    ...(prompt.length > 0 && { columns: Object.fromEntries(prompt) }),
    ...(kept.length > 0 && { source }),
  };
}

function textsOf(
  names: readonly string[],
  cellOf: (name: string) => unknown,
  where: () => string,
): [string, string][] {
  return names.flatMap((name): [string, string][] => {
    const text = textOf(cellOf(name), name, where);
    return text === '' ? [] : [[name, text]];
  });
}

function textOf(value: unknown, name: string, where: () => string): string {
  if (value === undefined || value === null) return '';
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new UserError(
      `${where()}: ${name} is the number ${value}, which is too large to be exact: write it as a text.`,
    );
  }
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function requireRoom(source: Record<string, string>, where: () => string): void {
  const bytes = Buffer.byteLength(JSON.stringify(source));
  if (bytes <= carriedBytesMax) return;
  throw new UserError(
    `${where()}: what --carry asks for has ${bytes} bytes; at most ${carriedBytesMax} of a row go ` +
      'along. Carry fewer columns (an id is enough to find the rest again), or shorten this row.',
  );
}
