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

export function batchNumber(batch: number): string {
  return String(batch).padStart(6, '0');
}
