import { z } from 'zod';

/**
 * How many requests a run makes of its stores, where nothing goes wrong: each is derived from what
 * the code does for a page, an image, a batch and a chunk, and a test counts those of a run.
 */

const count = z.int().nonnegative();

export const requestsSchema = z.strictObject({
  list: count,
  get: count,
  head: count,
  put: count,
  delete: count,
});

export type Requests = z.infer<typeof requestsSchema>;

/** What a run has to do. */
export interface Work {
  /** Keys that are listed, whether or not they are wanted; 0 where they come from a list. */
  keys: number;
  /** Images that are fetched. */
  images: number;
  /** Images that get the caption of another one, each of another batch at worst. */
  copies: number;
  /** Images in the manifest: with those that are skipped. */
  listed: number;
  batchSize: number;
  chunkBatches: number;
  /** Files beside images: images that get some, and kinds of them. */
  sidecars: { images: number; kinds: number };
  /** Whether features are kept, or wait for decoders, in a store. */
  features: { kept: boolean; stored: boolean };
  /** Processes that decode, and so write results. */
  decoders: number;
  /** Whether these get features from other processes. */
  handsOver: boolean;
  /** Whether chunks become one file each. */
  compacts: boolean;
}

/** Of a page of S3's. */
const pageKeys = 1_000;

/**
 * Ranges are listed side by side from so many keys on, and each ends within a page of the next:
 * `listAhead`.
 */
const keysAlone = 4_000;
const rangesShare = 0.08;

export function requestsOfSource({ keys, images }: Work): Requests {
  const pages = Math.ceil(keys / pageKeys);
  const ahead = keys > keysAlone ? Math.ceil(pages * rangesShare) : 0;
  // The first sees that the bucket is there.
  return { list: 1 + pages + ahead, get: images, head: 0, put: 0, delete: 0 };
}

export function batchesIn({ listed, batchSize }: Pick<Work, 'listed' | 'batchSize'>): number {
  return Math.ceil(listed / batchSize);
}

export function chunksIn(work: Pick<Work, 'listed' | 'batchSize' | 'chunkBatches'>): number {
  return Math.ceil(batchesIn(work) / work.chunkBatches);
}

export function requestsOfOutput(work: Work): Requests {
  const { sidecars, features, decoders, handsOver, copies } = work;
  const batches = batchesIn(work);
  const chunks = chunksIn(work);
  const compacted = work.compacts ? chunks : 0;
  const files = sidecars.images * sidecars.kinds;
  const records = files > 0 ? batches : 0;
  const kept = features.kept ? batches : 0;
  const stored = handsOver && features.stored && !features.kept ? batches : 0;
  // Who puts first asks whether the store knows conditions, and puts once more to see it.
  const first = 1 + (batches > 0 ? decoders : 0);
  return {
    // What is left of parts and files is looked for at the end.
    list:
      ofRun.list +
      chunks +
      records +
      copies +
      (compacted > 0 ? 1 + Math.ceil(compacted / pageKeys) : 0),
    // A chunk of the manifest to enqueue it, and once more, with its parts, to close it.
    get: ofRun.get + 2 * chunks + batches + copies + (handsOver ? kept : 0) + stored,
    // Before parts go, whether somebody has claimed the run.
    head: ofRun.head + first + files + compacted,
    put: ofRun.put + 2 * chunks + compacted + batches + first + files + records + 2 * kept + stored,
    delete: stored + (work.compacts ? batches : 0),
  };
}

/** Request, claim, end of the manifest, summary; whatever the run's size. */
const ofRun = { list: 4, get: 2, head: 5, put: 4 };
