import type { ImageRef, PartRow } from '@cutline/shared/run';
import type { GetOptions, ObjectStore } from '@cutline/shared/stores';
import { bootstrapRatio, type Measured } from './interval.ts';
import { outcomesOf, type Trial } from './trial.ts';
import { inGroups, TriedStages, type TriedStagesContext } from './tried-stages.ts';

/**
 * Some images go through the stages that workers have, on this machine: first both side by side,
 * then each alone. What is in no run is not timed: the first batch, which also chooses kernels and
 * fills caches. Redis, and whatever else lies between workers, is left out.
 */

export interface TryContext extends TriedStagesContext {
  /** Images of a job. */
  batchSize: number;
  seed: number;
  /**
   * Each image is to go through once, since answers of a server cost. Then nothing warms up, and
   * encoding, which is asking, takes all of the time.
   */
  once?: boolean;
  /** Told after each batch how many images have gone through, out of how many that will. */
  onProgress?: (images: number, of: number) => void;
}

/** Batches that are told apart, at least, where there are as many images. */
const groupsMin = 8;

function warmUpImages(images: number): number {
  return Math.min(32, Math.ceil(images / 4));
}

/** What is quicker is done again, as often as it takes; then batches may be whole ones, too. */
const secondsMin = 3;
const roundsMax = 16;

/** @param images at least one */
export async function tryImages(images: readonly ImageRef[], context: TryContext): Promise<Trial> {
  const { seed, once = false } = context;
  const reads: Measured[] = [];
  const stages = new TriedStages({ ...context, store: metered(context.store, reads) });
  const rows: PartRow[] = [];
  const progress = told(context, images.length);

  if (!once) await stages.caption(images.slice(0, warmUpImages(images.length)));
  reads.length = 0;
  let groups = groupsOf(images, context);
  let both = await stages.both(groups, (some) => {
    rows.push(...some);
    progress(some.length);
  });
  const seconds = both.reduce((sum, { amount }) => sum + amount, 0);
  if (seconds < secondsMin && !once) {
    const times = Math.min(roundsMax, Math.ceil(secondsMin / Math.max(seconds, 0.001)));
    groups = groupsOf(Array.from({ length: times }, () => images).flat(), context);
    both = await stages.both(groups, () => {});
  }
  const alone = once ? { encode: both, decode: [] } : await stages.alone(groups, progress);
  return {
    ...outcomesOf(rows, seed),
    seconds: {
      both: bootstrapRatio(both, seed),
      encode: bootstrapRatio(alone.encode, seed),
      decode: bootstrapRatio(alone.decode, seed),
    },
    imageBytes: bootstrapRatio(reads, seed),
    featureBytes: stages.featureBytes,
  };
}

/** Of the run's size, unless there would be too few to tell how far they differ. */
function groupsOf(images: readonly ImageRef[], { batchSize }: TryContext): ImageRef[][] {
  return inGroups(images, Math.min(batchSize, Math.ceil(images.length / groupsMin)));
}

function told({ onProgress, once }: TryContext, images: number): (images: number) => void {
  const all = once ? images : 2 * images;
  let done = 0;
  return (some) => {
    done = Math.min(all, done + some);
    onProgress?.(done, all);
  };
}

/** The store, which notes how much was read from it, an object at a time. */
function metered(store: ObjectStore, reads: Measured[]): ObjectStore {
  const get = async (key: string, options?: GetOptions) => {
    const object = await store.get(key, options);
    reads.push({ amount: object.bytes.length, images: 1 });
    return object;
  };
  return new Proxy(store, {
    get(_, name) {
      if (name === 'get') return get;
      const member = Reflect.get(store, name);
      return typeof member === 'function' ? member.bind(store) : member;
    },
  });
}
