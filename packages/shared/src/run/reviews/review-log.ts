import { isTaken } from '../json-objects.ts';
import type { RunStore } from '../run-store.ts';
import { type Decision, decisionSchema } from './decision.ts';
import { newSession, reviewKey } from './review-objects.ts';

/** Decisions in an object: each one that is added replaces it, and costs as many bytes. */
const decisionsMax = 256;

interface Waiting {
  line: string;
  stored: () => void;
  failed: (error: unknown) => void;
}

/**
 * Adds a person's decisions to a run: a session (see review-objects.ts). Those that come while
 * others are being written are written together, so that the pace is not the store's.
 */
export class ReviewLog {
  readonly #run: RunStore;
  readonly #who: string;
  readonly #now: () => Date;
  #session: string;
  /** The object that grows: its number, its lines, and its ETag where it is there already. */
  #number = 0;
  #lines: string[] = [];
  #etag: string | undefined;
  #waiting: Waiting[] = [];
  #writing = false;

  constructor(run: RunStore, who: string, now: () => Date) {
    this.#run = run;
    this.#who = who;
    this.#now = now;
    this.#session = newSession(now());
  }

  /**
   * Resolves when the store has it. After a rejection, the same decision may be added again.
   * @throws StoreError where it cannot be written
   */
  add(decision: Decision): Promise<void> {
    const line = `${JSON.stringify(decisionSchema.parse(decision))}\n`;
    return new Promise((stored, failed) => {
      this.#waiting.push({ line, stored, failed });
      void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        await this.#write(batch.map(({ line }) => line));
        for (const { stored } of batch) stored();
      } catch (error) {
        for (const { failed } of batch) failed(error);
      }
    }
    this.#writing = false;
  }

  async #write(added: readonly string[]): Promise<void> {
    if (this.#lines.length >= decisionsMax) {
      this.#number += 1;
      this.#lines = [];
      this.#etag = undefined;
    }
    const lines = [...this.#lines, ...added];
    try {
      this.#etag = await this.#put(lines, this.#etag);
    } catch (error) {
      if (!isTaken(error)) throw error;
      // It is not as this session left it: a write of which no answer came has succeeded, or
      // somebody has changed it. What it holds stays, and all of ours goes into another.
      this.#session = newSession(this.#now());
      this.#number = 0;
      this.#etag = await this.#put(lines, undefined);
    }
    this.#lines = lines;
  }

  async #put(lines: readonly string[], etag: string | undefined): Promise<string> {
    const key = reviewKey(this.#run, this.#who, this.#session, this.#number);
    const condition = etag === undefined ? { ifAbsent: true as const } : { ifMatch: etag };
    const contentType = 'application/x-ndjson';
    const bytes = Buffer.from(lines.join(''));
    return (await this.#run.store.put(key, bytes, { contentType, ...condition })).etag;
  }
}
