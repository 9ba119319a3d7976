import type { DecodeStage, EncodeStage } from '@cutline/inference';
import type { CaptionOptions, FeatureType, ImageRef, PartRow } from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';
import pLimit from 'p-limit';
import { applyOutcomes, toPartRows } from '../batch-results.ts';
import type { Measured } from './interval.ts';

/**
 * The two stages as workers have them: two batches in hand to encode, and as many to decode as the
 * stage wants. Side by side, or one after the other; timed from one batch that is done to the next.
 */

export interface TriedStagesContext {
  store: ObjectStore;
  encodeStage: Pick<EncodeStage, 'encode'>;
  decodeStage: Pick<DecodeStage, 'model' | 'decode' | 'jobConcurrency'>;
  options: CaptionOptions;
  featureType: FeatureType;
  nowMs: () => number;
}

/** As encoders have them: one is fetched while the other computes. */
const encodesAtOnce = 2;

/** Of features that wait to be decoded. */
const waitingBytesMax = 128 * 1024 * 1024;

interface Encoded {
  refs: readonly ImageRef[];
  encoded: Awaited<ReturnType<EncodeStage['encode']>>;
}

export class TriedStages {
  readonly #context: TriedStagesContext;
  #featureBytes = 0;
  #encodedImages = 0;

  constructor(context: TriedStagesContext) {
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
    const captions = features ? await decodeStage.decode(features, options) : [];
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

export function inGroups<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) =>
    items.slice(n * size, (n + 1) * size),
  );
}
