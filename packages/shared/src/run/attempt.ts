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
  const match = /^([^.]+)\.(\d+)\.(\d+[rabe]*)$/.exec(id);
  return match ? { run: match[1]!, batch: Number(match[2]), attempt: match[3]! } : undefined;
}

/** What objects of an attempt are called: `000512`, `000512.3ra`. */
export function attemptName(batch: number, attempt: string): string {
  return batchNumber(batch) + (attempt === '0' ? '' : `.${attempt}`);
}

/**
 * The inverse, of a name with that ending; undefined for what Cutline did not call so. Some other
 * spelling of a number is taken as well: whoever cares compares with the name.
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

export function batchNumber(batch: number): string {
  return String(batch).padStart(6, '0');
}
