/** A draw to be judged: the one that was begun, or another. */
import { randomInt } from 'node:crypto';
import { UserError } from '@cutline/shared/errors';
import {
  createDraw,
  type Draw,
  estimateAccepted,
  type Reviews,
  type RunStore,
  readDraws,
} from '@cutline/shared/run';
import type { ImageIndex } from './image-index.ts';

/**
 * The last draw of as many images is gone on with as long as it is not judged whole, by whoever it
 * was begun; else a new one is made, of captioned images, judged or not: each as likely as any
 * other.
 *
 * @throws UserError where nothing has a caption
 */
export async function takeDraw(
  run: RunStore,
  { images }: ImageIndex,
  reviews: Reviews,
  { only, who, now }: { only: number; who: string; now: () => Date },
): Promise<{ draw: Draw; isNew: boolean }> {
  const captioned = images.filter(({ failure }) => failure === undefined);
  if (captioned.length === 0) {
    throw new UserError('There are no captions yet, to draw from.');
  }
  for (;;) {
    const draws = await readDraws(run);
    const last = draws.at(-1);
    if (last?.images.length === Math.min(only, captioned.length)) {
      const { drawn, judged } = estimateAccepted(last, reviews);
      if (judged < drawn) return { draw: last, isNew: false };
    }
    const draw: Draw = {
      format: 1,
      run: run.run,
      number: draws.length,
      who,
      made: now().toISOString(),
      population: captioned.length,
      images: sample(captioned, only).map(({ key, etag }) => ({ key, etag })),
    };
    // Where somebody else was faster, theirs is gone on with.
    if (await createDraw(run, draw)) return { draw, isNew: true };
  }
}

/** The first steps of a shuffle (Fisher and Yates). */
function sample<T>(items: readonly T[], count: number): T[] {
  const rest = [...items];
  const drawn = Math.min(count, rest.length);
  for (let i = 0; i < drawn; i++) {
    const j = randomInt(i, rest.length);
    [rest[i], rest[j]] = [rest[j] as T, rest[i] as T];
  }
  return rest.slice(0, drawn);
}
