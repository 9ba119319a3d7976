import { z } from 'zod';

/** Names of attempts at batches: of their jobs and of their parts. */

export const attemptSchema = z.string().regex(/^\d+[rabe]*$/);

/** What names an attempt at a batch. */
export interface BatchAttempt {
  run: string;
  batch: number;
  attempt: string;
}

/** `<run>.<batch>.<attempt>`: BullMQ refuses colons and bare integers in job ids. */
export function jobId({ run, batch, attempt }: BatchAttempt): string {
  return `${run}.${batchNumber(batch)}.${attempt}`;
}

/** The inverse of `jobId`; undefined for an id that Cutline did not make. */
export function parseJobId(id: string): BatchAttempt | undefined {
  const match = /^([^.]+)\.([a-z]?\d+)\.(\d+[rabe]*)$/.exec(id);
  return match ? { run: match[1]!, batch: numberIn(match[2]!), attempt: match[3]! } : undefined;
}

/** What objects of an attempt are called: `000512`, `000512.3ra`. */
export function attemptName(batch: number, attempt: string): string {
  return batchNumber(batch) + (attempt === '0' ? '' : `.${attempt}`);
}

/**
 * In words, for whoever reads a log: `first`, `generation 3, remainder 2, first half`. The remainder
 * of a remainder is the second one.
 */
export function describeAttempt(attempt: string): string {
  const [, generation = '0', divisions = ''] = /^(\d+)([rabe]*)$/.exec(attempt) ?? [];
  const words = Array.from(divisions.matchAll(/r+|[abe]/g), ([division]) =>
    division.length > 1 ? `remainder ${division.length}` : divisionWords[division],
  );
  if (generation !== '0') words.unshift(`generation ${generation}`);
  return words.join(', ') || 'first';
}

const divisionWords: Record<string, string> = {
  r: 'remainder',
  a: 'first half',
  b: 'second half',
  e: 'encoded again',
};

/**
 * The inverse of `attemptName`, of a name with that ending; undefined for what Cutline did not call
 * so. Some other spelling of a number is taken as well: whoever cares compares with the name.
 */
export function parseAttemptName(
  run: string,
  name: string,
  ending: string,
): BatchAttempt | undefined {
  if (!name.endsWith(ending)) return undefined;
  const [number, attempt = '0'] = name.slice(0, -ending.length).split('.');
  return parseJobId(`${run}.${number}.${attempt}`);
}

const digitsPlain = 6;

/**
 * A number in a name, of a batch or of a chunk. It has six digits; a larger one has a letter before
 * them that says how many more there are (`a1000000`, `b10000000`), so that in the byte order in
 * which stores list, names come in the order of their numbers.
 */
export function batchNumber(batch: number): string {
  const digits = String(batch).padStart(digitsPlain, '0');
  const more = digits.length - digitsPlain;
  return more === 0 ? digits : String.fromCharCode('a'.charCodeAt(0) + more - 1) + digits;
}

/** The inverse. */
export function numberIn(name: string): number {
  return Number(name.replace(/^[a-z]/, ''));
}
