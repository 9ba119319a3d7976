import { z } from 'zod';
import { retryClasses } from '../errors.ts';
import { batchNumber } from './attempt.ts';
import { runIdSchema } from './run-name.ts';

const claimFields = {
  run: runIdSchema,
  generation: z.int().nonnegative(),
  kind: z.enum(['produce', 'cancel']),
  /**
   * Failures of these classes, in rows of older generations, are to be tried again; and what was
   * skipped as archived.
   */
  retry: z.array(z.enum(retryClasses)),
  /** Who made it, and which one of theirs: no two claims are alike. */
  owner: z.string(),
  /** ISO 8601, UTC. */
  made: z.string(),
};

/**
 * A claim says, in the output store, that from now on the run is somebody's: a producer's, for one
 * pass over the manifest, or that of whoever cancels it. Claims are numbered without gaps and never
 * replaced, so that of two processes that want the same number one gets it. The number is the
 * *generation* of all that is begun under the claim: of attempts, of chunks of the manifest, of
 * ledgers and of the summary. It is the fence of the run: what an older generation writes late is
 * written beside what counts, under a name of its own, and has no effect.
 */
export const claimSchema = z.strictObject({
  format: z.literal(3),
  ...claimFields,
});

/** Of versions before. It said itself what it took over, and so what had been before it was made. */
const claim2Schema = z.strictObject({
  format: z.literal(2),
  ...claimFields,
  chunks: z.int().nonnegative(),
  /** Images in the manifest, where the listing was complete. */
  images: z.int().nonnegative().nullable(),
});

export const storedClaimSchema = z.discriminatedUnion('format', [claimSchema, claim2Schema]);

type StoredClaim = z.infer<typeof storedClaimSchema>;

/**
 * What a claim took over of a listing that was not complete: its first `chunks` chunks, as they are
 * in the listing of generation `follows`. Those that come after are written under the claim. It is
 * looked up once the claim is made, and kept beside it: from then on, nobody whose claim is older
 * adds to the manifest, but for the one thing that they were about to do. What a claim itself could
 * say would have been looked up before, and a process may sleep in between for as long as a run takes.
 */
export const takeoverSchema = z.strictObject({
  chunks: z.int().nonnegative(),
  follows: z.int().nonnegative(),
});

export type Takeover = z.infer<typeof takeoverSchema>;

export type Claim = z.infer<typeof claimSchema> & {
  /** Not there where it lists nothing, and of the first claim, which has nothing to take over. */
  takeover?: Takeover;
};

/** @param before the claims before it */
export function claimFrom(
  stored: StoredClaim,
  takeover: Takeover | undefined,
  before: readonly Claim[],
): Claim {
  if (stored.format === 3) return { ...stored, ...(takeover && { takeover }) };
  const { chunks, images, ...claim } = stored;
  const lists = claim.kind === 'produce' && images === null && claim.generation > 0;
  const old = lists && { takeover: { chunks, follows: listingGeneration(before) } };
  return { ...claim, format: 3, ...old };
}

/** Within the run's folder. */
export function claimName(generation: number): string {
  return `claims/${batchNumber(generation)}.json`;
}

/** Within the run's folder. */
export function takeoverName(generation: number): string {
  return `claims/${batchNumber(generation)}.takeover.json`;
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
 * @param finished the generation that finished the run, if one did, whether it went on since or not
 */
export function floorOf(claims: readonly Claim[], finished: number | undefined): number {
  const cancelled = claims.findLast(({ kind }) => kind === 'cancel')?.generation ?? 0;
  return Math.max(cancelled, finished === undefined ? 0 : finished + 1);
}

/** The generation that writes, or wrote, the chunks of the manifest that are not taken over. */
export function listingGeneration(claims: readonly Claim[]): number {
  return claims.findLast(({ takeover }) => takeover)?.generation ?? 0;
}

/** The generation that wrote a chunk: in the last listing, or in those whose chunks it took over. */
export function generationOfChunk(claims: readonly Claim[], chunk: number): number {
  for (let generation = listingGeneration(claims); ; ) {
    const takeover = claims[generation]?.takeover;
    if (!takeover || chunk >= takeover.chunks || takeover.follows >= generation) return generation;
    generation = takeover.follows;
  }
}
