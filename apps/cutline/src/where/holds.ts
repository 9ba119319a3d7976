import type { ColumnRange } from '@cutline/shared/parquet';
import { compareKeys } from '@cutline/shared/stores';
import type { Condition, Test } from './condition.ts';
import { isLike } from './is-like.ts';

/** Whether a condition holds of a row, or may hold of one of many. */

/** What a column may have in a row. */
export type Value = string | number | readonly unknown[] | null | undefined;

/** @param valueIn a column of the row */
export function holds(condition: Condition, valueIn: (column: string) => Value): boolean {
  switch (condition.kind) {
    case 'and':
      return condition.of.every((each) => holds(each, valueIn));
    case 'or':
      return condition.of.some((each) => holds(each, valueIn));
    case 'always':
      return true;
    case 'test':
      return passes(condition, valueIn(condition.column) ?? null);
  }
}

function passes(test: Test, value: NonNullable<Value> | null): boolean {
  if (test.test === 'null') return (value === null) !== test.isNegated;
  if (value === null) return false;
  return isSo(test, value) !== test.isNegated;
}

function isSo(test: Exclude<Test, { test: 'null' }>, value: NonNullable<Value>): boolean {
  switch (test.test) {
    case 'contains':
      return typeof value === 'string'
        ? value.includes(test.text)
        : Array.isArray(value) && value.some((each) => elementText(each) === test.text);
    case 'like':
      return isLike(String(value), test.pattern);
    case 'in':
      return test.values.some((each) => compare(value, each) === 0);
    case 'equal':
      return compare(value, test.value) === 0;
    case 'less':
      return compare(value, test.value) < 0;
    case 'less or equal':
      return compare(value, test.value) <= 0;
  }
}

/** Of a candidate, its caption. */
function elementText(element: unknown): unknown {
  return typeof element === 'object' && element !== null && 'caption' in element
    ? element.caption
    : element;
}

/** Numbers as they are; texts by the bytes of their UTF-8, as in Parquet. */
function compare(a: unknown, b: string | number): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : compareKeys(String(a), String(b));
}

/**
 * Whether it may hold of any of some rows, by what their statistics say.
 * @param rangeOf a column; undefined where nothing is said of it
 */
export function mayHold(
  condition: Condition,
  rows: number,
  rangeOf: (column: string) => ColumnRange | undefined,
): boolean {
  switch (condition.kind) {
    case 'and':
      return condition.of.every((each) => mayHold(each, rows, rangeOf));
    case 'or':
      return condition.of.some((each) => mayHold(each, rows, rangeOf));
    case 'always':
      return true;
    case 'test': {
      const range = rangeOf(condition.column);
      return !range || mayPass(condition, rows, range);
    }
  }
}

function mayPass(test: Test, rows: number, { min, max, nulls }: ColumnRange): boolean {
  if (test.test === 'null') {
    return nulls === undefined || (test.isNegated ? nulls < rows : nulls > 0);
  }
  if (nulls === rows) return false;
  if (min === undefined || max === undefined) return true;
  const isWithin = (value: string | number) => compare(min, value) <= 0 && compare(max, value) >= 0;
  switch (test.test) {
    case 'equal':
      return test.isNegated || isWithin(test.value);
    case 'in':
      return test.isNegated || test.values.some(isWithin);
    case 'less':
      return test.isNegated ? compare(max, test.value) >= 0 : compare(min, test.value) < 0;
    case 'less or equal':
      return test.isNegated ? compare(max, test.value) > 0 : compare(min, test.value) <= 0;
    case 'like':
      return test.isNegated || mayBegin(/^[^%_]*/.exec(test.pattern)?.[0] ?? '', min, max);
    default:
      return true;
  }
}

/** Whether a text between these may begin so. */
function mayBegin(start: string, min: string | number, max: string | number): boolean {
  return compare(max, start) >= 0 && (compare(min, start) <= 0 || String(min).startsWith(start));
}
