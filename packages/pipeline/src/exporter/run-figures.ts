import type { QueueName } from '@cutline/shared/process';
import type { RunProgress } from '../board/run-progress.ts';
import type { JobCounts } from '../queue/job-queue.ts';

/**
 * What the counters of a run say about its course: how much each stage has left, how long that
 * takes at the rate of late, and which stage the others wait for. Pure: whoever asks reads Redis.
 */

export const stagesOfRun = ['list', 'encode', 'decode'] as const;
export type RunStage = (typeof stagesOfRun)[number];

/** Images with a result. */
export function endedImages({ captioned, skipped, failed }: RunProgress): number {
  return captioned + skipped + failed;
}

/** Images that are listed and have no result yet. */
export function remainingImages(progress: RunProgress): number {
  return Math.max(0, progress.listed - endedImages(progress));
}

export function isFinished(progress: RunProgress): boolean {
  return progress.listingComplete === 1 && remainingImages(progress) === 0;
}

/** Images that left each stage. What failed was not encoded, save for the few that decoders fail. */
function passed(progress: RunProgress): Record<QueueName, number> {
  const { encoded, failed, skipped, listed } = progress;
  const decode = endedImages(progress);
  return { encode: Math.max(decode, Math.min(listed, encoded + failed + skipped)), decode };
}

/** Rates are of so long a time, … */
const windowMs = 5 * 60_000;
/** … and a stage that did nothing for so long stands still. */
const stillMs = 60_000;

/** Remembers how far a run was, as often as it is told, for as long as rates are of. */
export class RunRate {
  readonly #firstMs: number;
  #samples: { atMs: number; passed: Record<QueueName, number> }[] = [];

  constructor(firstMs: number) {
    this.#firstMs = firstMs;
  }

  /** Milliseconds that a run has been known, for those that nothing was counted of yet. */
  knownMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#firstMs);
  }

  add(atMs: number, progress: RunProgress): void {
    const now = passed(progress);
    const last = this.#samples.at(-1);
    // Counted anew: whoever resumes a run does that.
    if (last && (now.encode < last.passed.encode || now.decode < last.passed.decode)) {
      this.#samples = [];
    }
    this.#samples = this.#samples.filter((sample) => atMs - sample.atMs <= windowMs);
    this.#samples.push({ atMs, passed: now });
  }

  /** Images that a stage did a second, of late; undefined as long as there is no telling. */
  imagesPerSecond(stage: QueueName): number | undefined {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last || last.atMs === first.atMs) return undefined;
    return ((last.passed[stage] - first.passed[stage]) / (last.atMs - first.atMs)) * 1000;
  }

  /**
   * Seconds that a stage takes for what it has left: 0 when nothing is, Infinity when it stands
   * still, undefined as long as there is no telling.
   */
  drainSeconds(stage: QueueName, progress: RunProgress): number | undefined {
    const left = progress.listed - passed(progress)[stage];
    if (left <= 0) return 0;
    const rate = this.imagesPerSecond(stage);
    if (rate) return left / rate;
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    const isStill = first && last && last.atMs - first.atMs >= stillMs;
    return isStill ? Number.POSITIVE_INFINITY : undefined;
  }
}

/**
 * The stage that the others wait for: of a chain with bounded queues, the one before which work
 * piles up, as near to the end as there is one. undefined where nothing is left to do.
 */
export function bottleneck(
  progress: RunProgress,
  queues: Record<QueueName, JobCounts>,
): RunStage | undefined {
  if (isFinished(progress)) return undefined;
  const { encode, decode } = queues;
  // A batch for each that is in hand is what passing on takes.
  if (decode.waiting > Math.max(decode.active, 1)) return 'decode';
  if (encode.waiting > 0) return 'encode';
  if (progress.listingComplete === 0) return 'list';
  return encode.active + encode.delayed > 0 ? 'encode' : 'decode';
}
