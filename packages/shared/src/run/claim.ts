import { z } from 'zod';
import { retryClasses } from '../errors.ts';
import { batchNumber } from './attempt.ts';
import { runIdSchema } from './run-name.ts';

/**
 * A claim says, in the output store, that from now on the run is somebody's: a producer's, for one
 * pass over the manifest, or that of whoever cancels it. Claims are numbered without gaps and never
 * replaced, so that of two processes that want the same number one gets it. The number is the
 * *generation* of all that is begun under the claim: of attempts, of chunks of the manifest, of
 * ledgers and of the summary. It is the fence of the run: what an older generation writes late is
 * written beside what counts, under a name of its own, and has no effect.
 */
export const claimSchema = z.strictObject({
  format: z.literal(2),
  run: runIdSchema,
  generation: z.int().nonnegative(),
  kind: z.enum(['produce', 'cancel']),
  /**
   * Failures of these classes, in rows of older generations, are to be tried again; and what was
   * skipped as archived.
   */
  retry: z.array(z.enum(retryClasses)),
  /** Chunks of the manifest that it took over; it writes those that follow. */
  chunks: z.int().nonnegative(),
  /** Images in the manifest, where the listing was complete when the claim was made. */
  images: z.int().nonnegative().nullable(),
  /** Who made it, and which one of theirs: no two claims are alike. */
  owner: z.string(),
  /** ISO 8601, UTC. */
  made: z.string(),
});

export type Claim = z.infer<typeof claimSchema>;

/** Within the run's folder. */
export function claimName(generation: number): string {
  return `claims/${batchNumber(generation)}.json`;
}

/** `.3` in the names of what generation 3 writes; the first generation's names are plain. */
export function generationSuffix(generation: number): string {
  return generation === 0 ? '' : `.${generation}`;
}

/** Of an attempt: `3` of `3ra`. */
export function generationOf(attempt: string): number {
  return Number.parseInt(attempt, 10);
}

/**
 * The lowest generation whose attempts are still wanted.
 * @param finished the generation that finished the run, if one did.
 */
export function floorOf(claims: readonly Claim[], finished: number | undefined): number {
  const cancelled = claims.findLast(({ kind }) => kind === 'cancel')?.generation ?? 0;
  return Math.max(cancelled, finished === undefined ? 0 : finished + 1);
}

/** The generation that writes, or wrote, the chunks of the manifest that are not taken over. */
export function listingGeneration(claims: readonly Claim[]): number {
  const lists = ({ kind, images }: Claim) => kind === 'produce' && images === null;
  return claims.findLast(lists)?.generation ?? 0;
}

/** The generation that wrote a chunk: the last that did not take it over from another. */
export function generationOfChunk(claims: readonly Claim[], chunk: number): number {
  const wrote = ({ kind, chunks }: Claim) => kind === 'produce' && chunks <= chunk;
  return claims.findLast(wrote)?.generation ?? 0;
}
