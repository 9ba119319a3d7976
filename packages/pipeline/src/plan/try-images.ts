import type { DecodeStage, EncodeStage, Features } from '@cutline/inference';
import { type FailureClass, failureClasses } from '@cutline/shared/errors';
import {
  type CaptionOptions,
  type FeatureType,
  formatPart,
  type ImageRef,
  type PartRow,
  type Usage,
  wilsonInterval,
} from '@cutline/shared/run';
import type { GetOptions, ObjectStore } from '@cutline/shared/stores';
import pLimit from 'p-limit';
import { z } from 'zod';
import { applyOutcomes, toPartRows } from '../batch-results.ts';
import { bootstrapRatio, type Interval, intervalSchema, type Measured } from './interval.ts';

/**
 * Some images go through the stages that workers have, on this machine, as workers would have them:
 * in batches, two of them in hand to encode, and as many to decode as the stage wants. First both
 * stages side by side, then each alone. What is in no run is timed apart: the first batch, which
 * also chooses kernels and fills caches. Redis, and whatever else lies between workers, is left out.
 */

const share = z.strictObject({
  images: z.int().nonnegative(),
  share: intervalSchema,
  /** What was said of them, at most three. */
  messages: z.array(z.string()),
});

export const trialSchema = z.strictObject({
  images: z.int().positive(),
  captioned: z.int().nonnegative(),
  skipped: z.int().nonnegative(),
  failed: z.strictObject({ images: z.int().nonnegative(), share: intervalSchema }),
  /** In the order of their list. */
  failedByClass: z.partialRecord(z.enum(failureClasses), share),
  /** Of one machine like this, for an image of the listing, whatever becomes of it. */
  seconds: z.strictObject({
    encode: intervalSchema,
    decode: intervalSchema,
    /** Where one machine does both. */
    both: intervalSchema,
  }),
  /** Of an image that was read. */
  imageBytes: intervalSchema,
  /** Of an image's row of results. */
  rowBytes: intervalSchema,
  /** Of an encoded image. */
  featureBytes: z.number().nonnegative(),
  /** Of an image, where a server answers. */
  usage: z
    .strictObject({
      promptTokens: intervalSchema,
      completionTokens: intervalSchema,
      costUsd: intervalSchema.optional(),
    })
    .optional(),
});

export type Trial = z.infer<typeof trialSchema>;

export interface TryContext {
  store: ObjectStore;
  encodeStage: Pick<EncodeStage, 'encode'>;
  decodeStage: Pick<DecodeStage, 'model' | 'decode' | 'jobConcurrency'>;
  /** Images of a job. */
  batchSize: number;
  options: CaptionOptions;
  featureType: FeatureType;
  seed: number;
  nowMs: () => number;
  /** Told after each batch how many images have gone through, out of how many that will. */
  onProgress?: (images: number, of: number) => void;
}

/** As encoders have them: one is fetched while the other computes. */
const encodesAtOnce = 2;

/** Batches that are told apart, at least, where there are as many images. */
const groupsMin = 8;

/** Of the images that are not timed. */
const warmUpImagesMax = 32;

/** What is quicker is done again, as often as it takes; then batches may be whole ones, too. */
const secondsMin = 3;
const roundsMax = 16;

/** Of features that wait to be decoded. */
const waitingBytesMax = 128 * 1024 * 1024;

/** @param images at least one */
export async function tryImages(images: readonly ImageRef[], context: TryContext): Promise<Trial> {
  const { seed } = context;
  const reads: Measured[] = [];
  const stages = new TriedStages({ ...context, store: metered(context.store, reads) });
  const rows: PartRow[] = [];
  const progress = told(context, images.length);

  await stages.caption(images.slice(0, Math.min(warmUpImagesMax, Math.ceil(images.length / 4))));
  reads.length = 0;
  let groups = groupsOf(images, context);
  let both = await stages.both(groups, (some) => {
    rows.push(...some);
    progress(some.length);
  });
  const seconds = both.reduce((sum, { amount }) => sum + amount, 0);
  if (seconds < secondsMin) {
    const times = Math.min(roundsMax, Math.ceil(secondsMin / Math.max(seconds, 0.001)));
    groups = groupsOf(Array.from({ length: times }, () => images).flat(), context);
    both = await stages.both(groups, () => {});
  }
  const { encode, decode } = await stages.alone(groups, progress);
  return {
    ...outcomesOf(rows),
    seconds: {
      both: bootstrapRatio(both, seed),
      encode: bootstrapRatio(encode, seed),
      decode: bootstrapRatio(decode, seed),
    },
    imageBytes: bootstrapRatio(reads, seed),
    rowBytes: bootstrapRatio(rows.map(bytesOfRow), seed),
    featureBytes: stages.featureBytes,
    ...usageOf(rows, seed),
  };
}

/** Of the run's size, unless there would be too few to tell how far they differ. */
function groupsOf(images: readonly ImageRef[], { batchSize }: TryContext): ImageRef[][] {
  return inGroups(images, Math.min(batchSize, Math.ceil(images.length / groupsMin)));
}

/** Every image goes through twice. */
function told({ onProgress }: TryContext, images: number): (images: number) => void {
  let done = 0;
  return (some) => {
    done = Math.min(2 * images, done + some);
    onProgress?.(done, 2 * images);
  };
}

/** What answers took, an image of the listing; nothing where none says it. */
function usageOf(rows: readonly PartRow[], seed: number): Pick<Trial, 'usage'> {
  const usages = rows.map((row) => ('usage' in row ? row.usage : undefined));
  if (usages.every((usage) => usage === undefined)) return {};
  const ratio = (of: (usage: Usage) => number | undefined) =>
    bootstrapRatio(
      usages.map((usage) => ({ amount: (usage && of(usage)) ?? 0, images: 1 })),
      seed,
    );
  const hasCost = usages.some((usage) => usage?.costUsd !== undefined);
  return {
    usage: {
      promptTokens: ratio(({ promptTokens }) => promptTokens),
      completionTokens: ratio(({ completionTokens }) => completionTokens),
      ...(hasCost && { costUsd: ratio(({ costUsd }) => costUsd) }),
    },
  };
}

function bytesOfRow(row: PartRow): Measured {
  return { amount: formatPart([row]).length, images: 1 };
}

interface Encoded {
  refs: readonly ImageRef[];
  encoded: Awaited<ReturnType<EncodeStage['encode']>>;
}

class TriedStages {
  readonly #context: TryContext;
  #featureBytes = 0;
  #encodedImages = 0;

  constructor(context: TryContext) {
    this.#context = context;
  }

  /** Of an image. */
  get featureBytes(): number {
    return this.#encodedImages === 0 ? 0 : this.#featureBytes / this.#encodedImages;
  }

  async caption(refs: readonly ImageRef[]): Promise<PartRow[]> {
    return this.#decode(await this.#encode(refs));
  }

  /** @returns from one batch that was done to the next */
  async both(
    groups: readonly ImageRef[][],
    onRows: (rows: PartRow[]) => void,
  ): Promise<Measured[]> {
    const steps = new Steps(this.#context.nowMs);
    const [encoding, decoding] = this.#limits();
    await Promise.all(
      groups.map(async (refs) => {
        const encoded = await encoding(() => this.#encode(refs));
        const rows = await decoding(() => this.#decode(encoded));
        steps.add(refs.length);
        onRows(rows);
      }),
    );
    return steps.all;
  }

  /** As many batches as may wait are encoded, then decoded, and so on. */
  async alone(
    groups: readonly ImageRef[][],
    onEncoded: (images: number) => void,
  ): Promise<Record<'encode' | 'decode', Measured[]>> {
    const [encoding, decoding] = this.#limits();
    const groupBytes = Math.max(1, this.featureBytes * (groups[0]?.length ?? 1));
    const atATime = Math.max(encodesAtOnce, Math.floor(waitingBytesMax / groupBytes));
    const all: Record<'encode' | 'decode', Measured[]> = { encode: [], decode: [] };
    for (const some of inGroups(groups, atATime)) {
      const encodeSteps = new Steps(this.#context.nowMs);
      const encode = async (refs: readonly ImageRef[]) => {
        const encoded = await encoding(() => this.#encode(refs));
        encodeSteps.add(refs.length);
        onEncoded(refs.length);
        return encoded;
      };
      const waiting = await Promise.all(some.map(encode));
      const decodeSteps = new Steps(this.#context.nowMs);
      const decode = async (encoded: Encoded) => {
        await decoding(() => this.#decode(encoded));
        decodeSteps.add(encoded.refs.length);
      };
      await Promise.all(waiting.map(decode));
      all.encode.push(...encodeSteps.all);
      all.decode.push(...decodeSteps.all);
    }
    return all;
  }

  #limits() {
    return [pLimit(encodesAtOnce), pLimit(this.#context.decodeStage.jobConcurrency)] as const;
  }

  async #encode(refs: readonly ImageRef[]): Promise<Encoded> {
    const { encodeStage, store, featureType } = this.#context;
    const encoded = await encodeStage.encode(refs, store, featureType);
    const { features } = encoded;
    if (features) {
      this.#featureBytes += features.payload.length;
      this.#encodedImages += features.shape[0];
    }
    return { refs, encoded };
  }

  async #decode({ refs, encoded: { outcomes, features } }: Encoded): Promise<PartRow[]> {
    const { decodeStage, options } = this.#context;
    const captions = features ? await decodeStage.decode(features as Features, options) : [];
    const { images } = applyOutcomes([...refs], outcomes, { defer: false });
    return toPartRows(images, captions, decodeStage.model);
  }
}

/** How long it took from one batch to the next. */
class Steps {
  readonly all: Measured[] = [];
  readonly #nowMs: () => number;
  #lastMs: number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#lastMs = nowMs();
  }

  add(images: number): void {
    const now = this.#nowMs();
    this.all.push({ amount: (now - this.#lastMs) / 1000, images });
    this.#lastMs = now;
  }
}

function outcomesOf(rows: readonly PartRow[]) {
  const of = (status: PartRow['status']) => rows.filter((row) => row.status === status).length;
  const failed = new Map<FailureClass, { images: number; messages: Set<string> }>();
  for (const row of rows) {
    if (row.status !== 'failed') continue;
    const { class: name, message } = row.failure;
    const found = failed.get(name) ?? { images: 0, messages: new Set() };
    failed.set(name, found);
    found.images += 1;
    if (found.messages.size < 3) found.messages.add(message);
  }
  const byClass = failureClasses.flatMap((name) => {
    const found = failed.get(name);
    if (!found) return [];
    const { images, messages } = found;
    return [[name, { images, share: shareOf(images, rows.length), messages: [...messages] }]];
  });
  return {
    images: rows.length,
    captioned: of('captioned'),
    skipped: of('skipped'),
    failed: { images: of('failed'), share: shareOf(of('failed'), rows.length) },
    failedByClass: Object.fromEntries(byClass) as Trial['failedByClass'],
  };
}

function shareOf(images: number, all: number): Interval {
  const { low, high } = wilsonInterval(images, all);
  const expected = images / all;
  return { expected, low: Math.min(low, expected), high: Math.max(high, expected) };
}

function inGroups<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) =>
    items.slice(n * size, (n + 1) * size),
  );
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
