import { randomBytes } from 'node:crypto';
import pLimit from 'p-limit';
import { batchNumber } from '../attempt.ts';
import { parseJsonLines } from '../part.ts';
import { newRunName } from '../run-name.ts';
import type { RunStore } from '../run-store.ts';
import { decisionSchema } from './decision.ts';
import { Reviews } from './reviews.ts';

/**
 * Where decisions are, in a run's folder:
 *
 *   reviews/<who>.<session>.000000.jsonl   decisions, in the order in which they were made
 *
 * A store cannot append. So nobody shares an object: each session (a process that people review
 * with) has a name of its own, with chance in it, and writes objects of its own, one after the
 * other; only its last one grows, by being replaced. See review-log.ts, which writes them.
 */
export function reviewsFolder(run: RunStore): string {
  return `${run.prefix}reviews/`;
}

export function reviewKey(run: RunStore, who: string, session: string, number: number): string {
  return `${reviewsFolder(run)}${who}.${session}.${batchNumber(number)}.jsonl`;
}

/** By its beginning, in UTC: `20261122-204312-9b2c41d0`. */
export function newSession(now: Date): string {
  return `${newRunName(now)}-${randomBytes(4).toString('hex')}`;
}

/** What else lies in the folder counts for nothing. */
export function isReviewKey(run: RunStore, key: string): boolean {
  const name = key.slice(reviewsFolder(run).length);
  return /^[^/]+\.\d{8}-\d{6}-[0-9a-f]{8}\.\d{6,}\.jsonl$/.test(name);
}

/** Objects read at once. */
const parallelism = 16;

/** Follows a run's reviews: what is new is read, and nothing twice. */
export class ReviewReader {
  readonly reviews = new Reviews();
  readonly #run: RunStore;
  /** ETags of what was read, by key. */
  readonly #read = new Map<string, string>();

  constructor(run: RunStore) {
    this.#run = run;
  }

  /**
   * Adds what was decided since.
   * @throws Error naming the object and the line that this version does not understand
   */
  async refresh(): Promise<Reviews> {
    const { store } = this.#run;
    const limit = pLimit(parallelism);
    const reads: Promise<void>[] = [];
    for await (const { key, etag } of store.list(reviewsFolder(this.#run))) {
      if (!isReviewKey(this.#run, key) || this.#read.get(key) === etag) continue;
      reads.push(
        limit(async () => {
          const { bytes, etag: found } = await store.get(key);
          const decisions = parseJsonLines(bytes, decisionSchema, key);
          for (const decision of decisions) this.reviews.add(decision);
          this.#read.set(key, found);
        }),
      );
    }
    await Promise.all(reads);
    return this.reviews;
  }
}

/** All that people have decided about a run so far. */
export async function readReviews(run: RunStore): Promise<Reviews> {
  return new ReviewReader(run).refresh();
}
