import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Counts, countsSchema, requireSum } from './counts.ts';
import { repeatedSchema } from './repeated-captions.ts';
import { runIdSchema } from './run-name.ts';

/**
 * What counts of a chunk of the manifest, once every image of it has a row: totals, and the parts
 * whose rows they are, with their hashes. Written once per generation that closes the chunk; the
 * latest counts. What is not in a ledger when its chunk is closed has no effect any more.
 */
export const ledgerSchema = z.strictObject({
  format: z.literal(2),
  run: runIdSchema,
  chunk: z.int().nonnegative(),
  generation: z.int().nonnegative(),
  /** The chunk of the manifest that it is about. */
  manifest: z.strictObject({ name: z.string(), sha256: z.string() }),
  ...countsSchema.shape,
  /** Captions that many of its images have. */
  repeated: repeatedSchema.optional(),
  /** In the order of batches, and of attempts within them. */
  parts: z.array(z.strictObject({ name: z.string(), sha256: z.string() })),
  /** When the chunk was closed: ISO 8601, UTC. */
  closed: z.string(),
});

export type Ledger = z.infer<typeof ledgerSchema>;

/** @throws Error where it does not add up: it must not be written. */
export function checkLedger(ledger: Ledger): Ledger {
  const name = `the ledger of chunk ${ledger.chunk}`;
  requireSum(ledger, name);
  return ledgerSchema.parse(ledger);
}

/** Whether failures that it counts are to be tried again, by what claims made since ask for. */
export function isReopened(
  { generation, failedByClass }: Pick<Ledger, 'generation'> & Pick<Counts, 'failedByClass'>,
  claims: readonly { generation: number; retry: readonly string[] }[],
): boolean {
  return claims.some(
    (claim) =>
      claim.generation > generation && claim.retry.some((each) => (failedByClass[each] ?? 0) > 0),
  );
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
