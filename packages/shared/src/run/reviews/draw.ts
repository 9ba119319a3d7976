import { z } from 'zod';
import { batchNumber } from '../attempt.ts';
import { runIdSchema } from '../run-name.ts';
import type { RunStore } from '../run-store.ts';
import { reviewerSchema } from './decision.ts';
import { reviewsFolder } from './review-objects.ts';
import type { Reviews } from './reviews.ts';

/**
 * A draw: captioned images taken by chance, each as likely as any other, to be judged one after
 * the other; and what they say about all the others. Draws are `reviews/draws/000000.json` and so
 * on, written once, so that several reviewers can work through one.
 */
export const drawSchema = z.strictObject({
  format: z.literal(1),
  run: runIdSchema,
  number: z.int().nonnegative(),
  who: reviewerSchema,
  /** ISO 8601, UTC. */
  made: z.iso.datetime(),
  /** Captioned images that they were drawn from. */
  population: z.int().positive(),
  /** In the order in which they were drawn, which is the one to judge them in. */
  images: z.array(z.strictObject({ key: z.string(), etag: z.string().nullable() })).min(1),
});

export type Draw = z.infer<typeof drawSchema>;

/** What the images of a draw say about all captions of its run. */
export interface Estimate {
  drawn: number;
  /**
   * From the first one on, as far as all are judged: who leaves out the hard ones would have an
   * estimate of the easy ones.
   */
  judged: number;
  /** Of those: accepted as they were shown. */
  accepted: number;
  /** The 95 % interval of the share of captions that would be accepted; absent where judged is 0. */
  interval?: { low: number; high: number };
}

export function estimateAccepted({ images }: Draw, reviews: Reviews): Estimate {
  const open = images.findIndex((image) => !reviews.of(image));
  const judged = open < 0 ? images.length : open;
  const accepted = images
    .slice(0, judged)
    .filter((image) => reviews.of(image)?.decision === 'accepted').length;
  const estimate = { drawn: images.length, judged, accepted };
  return judged === 0 ? estimate : { ...estimate, interval: wilsonInterval(accepted, judged) };
}

/** Of the standard normal distribution: 95 % lie within as many standard deviations. */
const deviations95 = 1.959964;

/**
 * The score interval of E. B. Wilson, Probable inference, the law of succession, and statistical
 * inference (J. Am. Stat. Assoc. 22, 1927): of the usual ones, the one that holds what it says for
 * small samples and for shares near 0 and 1 (Brown, Cai and DasGupta, Stat. Sci. 16, 2001). That
 * the population is finite is left out, which errs on the wide side.
 *
 * @param n more than 0
 */
export function wilsonInterval(successes: number, n: number): { low: number; high: number } {
  const share = successes / n;
  const z2 = deviations95 ** 2;
  const centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half =
    (deviations95 * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n))) / (1 + z2 / n);
  // At the ends, rounding would go beyond them.
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

export function drawName(number: number): string {
  return `reviews/draws/${batchNumber(number)}.json`;
}

/** All draws, in their order. */
export async function readDraws(run: RunStore): Promise<Draw[]> {
  const draws: Draw[] = [];
  for await (const { key } of run.store.list(`${reviewsFolder(run)}draws/`)) {
    if (key !== run.prefix + drawName(draws.length)) continue;
    const draw = await run.readObject(drawName(draws.length), drawSchema);
    if (draw) draws.push(draw);
  }
  return draws;
}

/** @returns false where another has that number. */
export async function createDraw(run: RunStore, draw: Draw): Promise<boolean> {
  return run.createObject(drawName(draw.number), drawSchema.parse(draw));
}
