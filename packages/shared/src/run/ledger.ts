import { createHash } from 'node:crypto';
import { z } from 'zod';
import { chunkNames } from './chunk-name.ts';
import { countsSchema, countToRetry, requireSum } from './counts.ts';
import { repeatedSchema } from './repeated-captions.ts';
import { runIdSchema } from './run-name.ts';
import type { ReadPart, SettledImage } from './settle.ts';

/**
 * What counts of a chunk of the manifest, once every image of it has a row: totals, and the parts
 * whose rows they are, with their hashes. Written once per generation that closes the chunk; the
 * latest counts. What is not in a ledger when its chunk is closed has no effect any more.
 */
const ledgerFields = {
  run: runIdSchema,
  chunk: z.int().nonnegative(),
  generation: z.int().nonnegative(),
  /** The chunk of the manifest that it is about. */
  manifest: z.strictObject({ name: z.string(), sha256: z.string() }),
  ...countsSchema.shape,
  /** Captions that many of its images have. */
  repeated: repeatedSchema.optional(),
  /** When the chunk was closed: ISO 8601, UTC. */
  closed: z.string(),
};

const partFields = { name: z.string(), sha256: z.string() };

/** What a ledger says of a part. */
const ledgerPartSchema = z.strictObject({
  ...partFields,
  /** Whose rows in it count. */
  images: z.int().positive(),
  /** Which of these failed, by class: their places in the batch, from 0, in ascending order. */
  failed: z.record(z.string(), z.array(z.int().nonnegative()).min(1)).optional(),
});

export type LedgerPart = z.infer<typeof ledgerPartSchema>;

/**
 * A ledger as it is written now: it says which images failed, so that they are tried again without
 * reading what did not.
 */
const ledger3Schema = z.strictObject({
  format: z.literal(3),
  ...ledgerFields,
  /** The generation of the chunk's ledger that it was made from, where it was: see `repeated`. */
  continues: z.int().nonnegative().optional(),
  /** In the order of batches, and of attempts within them. */
  parts: z.array(ledgerPartSchema),
});

export type Ledger3 = z.infer<typeof ledger3Schema>;

/** The same of a chunk that is compacted: its rows are in one file, and no part counts any more. */
const ledger4Schema = z.strictObject({
  format: z.literal(4),
  ...ledgerFields,
  results: z.strictObject({ name: z.string(), sha256: z.string(), bytes: z.int().positive() }),
});

export type Ledger4 = z.infer<typeof ledger4Schema>;

export const ledgerSchema = z.discriminatedUnion('format', [
  z.strictObject({
    format: z.literal(2),
    ...ledgerFields,
    parts: z.array(z.strictObject(partFields)),
  }),
  ledger3Schema,
  ledger4Schema,
]);

export type Ledger = z.infer<typeof ledgerSchema>;

/** The parts whose rows count: none of a chunk that is compacted. */
export function ledgerParts(ledger: Ledger): readonly { name: string; sha256: string }[] {
  return ledger.format === 4 ? [] : ledger.parts;
}

/** Within the run's folder. */
export const { nameOf: ledgerName, parse: parseLedgerName } = chunkNames('ledger', '.json');

/** What a ledger says of the parts of a batch, besides their names. */
export function countParts<P extends ReadPart>(
  images: readonly SettledImage<P>[],
): Map<P, Pick<LedgerPart, 'images' | 'failed'>> {
  const counted = new Map<P, Pick<LedgerPart, 'images' | 'failed'>>();
  for (const [place, { row, part }] of images.entries()) {
    if (!row || !part) continue;
    const entry = counted.get(part) ?? { images: 0 };
    counted.set(part, entry);
    entry.images += 1;
    if (row.status !== 'failed') continue;
    const { class: failureClass } = row.failure;
    const failed = entry.failed ?? {};
    failed[failureClass] = [...(failed[failureClass] ?? []), place];
    entry.failed = failed;
  }
  return counted;
}

/** @throws Error where it does not add up: it must not be written. */
export function checkLedger(ledger: Ledger): Ledger {
  const name = `the ledger of chunk ${ledger.chunk}`;
  requireSum(ledger, name);
  if (ledger.format === 3) requireParts(ledger, name);
  return ledgerSchema.parse(ledger);
}

function requireParts({ images, failedByClass, parts }: Ledger3, name: string): void {
  const inParts = parts.reduce((sum, part) => sum + part.images, 0);
  const failed: Record<string, number> = {};
  for (const [each, places] of parts.flatMap((part) => Object.entries(part.failed ?? {}))) {
    failed[each] = (failed[each] ?? 0) + places.length;
  }
  const classes = new Set([...Object.keys(failed), ...Object.keys(failedByClass)]);
  const isSame = [...classes].every((each) => failed[each] === failedByClass[each]);
  if (inParts !== images || !isSame) {
    throw new Error(
      `${name} does not add up: its parts say ${inParts} images, failed ${JSON.stringify(failed)}; ` +
        `it says ${images}, ${JSON.stringify(failedByClass)}`,
    );
  }
}

/** Whether failures that it counts are to be tried again, by what claims made since ask for. */
export function isReopened(
  ledger: Pick<Ledger, 'generation' | 'failedByClass' | 'skippedByReason'>,
  claims: readonly { generation: number; retry: readonly string[] }[],
): boolean {
  return claims.some(
    (claim) => claim.generation > ledger.generation && countToRetry(ledger, claim.retry) > 0,
  );
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
