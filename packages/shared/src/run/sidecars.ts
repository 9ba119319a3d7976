import { z } from 'zod';

/** Small files beside each image's key, for catalogues that look for them there. */
export const sidecarKinds = ['txt', 'json', 'xmp'] as const;

export type SidecarKind = (typeof sidecarKinds)[number];

/**
 * What becomes of a file that is there already and that Cutline did not write, or not as it is now:
 *
 *   keep     it stays as it is
 *   merge    of XMP: all of it stays, and what Cutline has to say is added; other files stay
 *   replace  it is replaced
 *
 * What Cutline wrote, and nobody has changed since, is renewed in any case.
 */
export const existingRules = ['keep', 'merge', 'replace'] as const;

export type ExistingRule = (typeof existingRules)[number];

export const sidecarRulesSchema = z.strictObject({
  existing: z.enum(existingRules),
  /** Captions with a lower score get none, nor do those without; null: all get theirs. */
  scoreMin: z.number().nullable(),
});

export type SidecarRules = z.infer<typeof sidecarRulesSchema>;

/** Runs that were begun before there were rules keep what they find, too. */
export const sidecarRulesDefault: SidecarRules = { existing: 'keep', scoreMin: null };

/** What a row says of its sidecars; those that were written as they should be are not named. */
export const sidecarOutcomesSchema = z.partialRecord(
  z.enum(sidecarKinds),
  z.enum(['kept', 'merged']),
);

/** In a run: files that stayed as they were, and files that something was added to. */
export const sidecarCountsSchema = z.strictObject({
  kept: z.int().nonnegative(),
  merged: z.int().nonnegative(),
});

/** One sidecar of an attempt, as it was about to be written; for who wants to take it away again. */
export const sidecarRecordSchema = z.discriminatedUnion('how', [
  /** The file is Cutline's. */
  z.strictObject({ key: z.string(), how: z.literal('written'), sha256: z.string() }),
  /** This text was put into a file of somebody else. */
  z.strictObject({ key: z.string(), how: z.literal('merged'), inserted: z.string() }),
]);

export type SidecarRecord = z.infer<typeof sidecarRecordSchema>;
