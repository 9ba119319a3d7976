import { setTimeout as sleepFor } from 'node:timers/promises';
import { backoffMs } from '@cutline/shared/backoff';
import type { Metrics } from '@cutline/shared/process';
import pLimit, { type LimitFunction } from 'p-limit';
import type { Busy } from '../stages/stage.ts';
import type { Answer } from './answer.ts';
import { ServerError } from './server-error.ts';

export interface AskerOptions {
  /** Questions that wait for their answer at a time, in this process. */
  concurrency: number;
  /** Tries at one question while the server is well, at least 1. */
  attempts: number;
  /** Pause before the second try, in milliseconds; doubles with each further one, to a minute. */
  retryBaseMs: number;
  metrics: Metrics;
  /** Milliseconds, of a clock that only goes forward. */
  now?: () => number;
  /** @throws the signal's reason, when it aborts. */
  sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** [0, 1), for the jitter of pauses. */
  random?: () => number;
}

/** What waits no longer than this is waited for here; a server may ask for a day. */
const pauseMsMax = 60_000;

/**
 * Asks a server, so many questions at a time, and tries again what may heal: everybody pauses when
 * it has too much to do (429), for as long as it asks; an outage takes as many tries of one
 * question, and then one of every other, until the server answers again. Beyond that, and beyond
 * a batch's deadline, questions wait for a later batch.
 */
export class PatientAsker {
  readonly #options: Required<AskerOptions>;
  readonly #turn: LimitFunction;
  /** Nobody asks before. */
  #pauseUntil = 0;
  /** One question was tried as often and as long as may be, and none was answered since. */
  #isDown = false;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #inFlight = 0;
  #busyMs = 0;
  #countedTo: number;

  constructor(options: AskerOptions) {
    this.#options = {
      now: () => performance.now(),
      sleep: (ms, signal) => sleepFor(ms, undefined, signal && { signal }),
      random: Math.random,
      ...options,
    };
    this.#turn = pLimit(options.concurrency);
    this.#countedTo = this.#options.now();
  }

  /**
   * @param question asks once
   * @param deadlineMs by the clock `now`; what has not been answered by then is `unavailable`
   * @throws ServerError, of the last try
   */
  async ask(
    question: () => Promise<Answer>,
    { deadlineMs, signal }: { deadlineMs: number; signal: AbortSignal },
  ): Promise<Answer> {
    const { attempts, now, metrics } = this.#options;
    let throttles = 0;
    for (let failures = 0; ; ) {
      const error = await this.#turn(async () => {
        await this.#untilMayAsk(deadlineMs, signal);
        return this.#askOnce(question);
      });
      if (!(error instanceof ServerError)) return error;
      if (error.fault !== 'unavailable') throw error;
      if (error.isThrottled) throttles += 1;
      else failures += 1;
      const { retryBaseMs: baseMs, random } = this.#options;
      const times = error.isThrottled ? throttles : failures;
      const ownMs = backoffMs(times, { baseMs, maxMs: pauseMsMax, random });
      // A server that says 0 is not asked without end.
      const pauseMs = Math.min(pauseMsMax, Math.max(error.retryAfterMs ?? 0, ownMs));
      if (error.isThrottled) this.#pauseUntil = Math.max(this.#pauseUntil, now() + pauseMs);
      const isLastTry = failures >= (this.#isDown ? 1 : attempts);
      if (isLastTry || now() + pauseMs >= deadlineMs) {
        this.#isDown = true;
        throw error;
      }
      metrics.retries.inc({ stage: 'ask' });
      await this.#options.sleep(pauseMs, signal);
    }
  }

  /** Whether the server has answered somebody in so many milliseconds. */
  hasAnsweredWithin(ms: number): boolean {
    return this.#options.now() - this.#answeredAt <= ms;
  }

  /**
   * While the server does not answer, or has too much to do for whole batches: asks it once.
   * @throws ServerError where it still does not answer
   */
  async requireAnswer(question: () => Promise<unknown>): Promise<void> {
    if (!this.#isDown) return;
    await question();
    this.#isDown = false;
  }

  /** Milliseconds, of the clock that deadlines are told by. */
  now(): number {
    return this.#options.now();
  }

  busy(): Busy {
    this.#count();
    return { seconds: this.#busyMs / 1000, threads: this.#options.concurrency };
  }

  /** @returns the answer, or why there is none */
  async #askOnce(question: () => Promise<Answer>): Promise<Answer | ServerError> {
    const { metrics } = this.#options;
    this.#count();
    this.#inFlight += 1;
    try {
      const answer = await metrics.time('ask', question);
      this.#isDown = false;
      this.#answeredAt = this.#options.now();
      metrics.serverRequests.inc({ outcome: 'answered' });
      metrics.serverTokens.inc({ kind: 'prompt' }, answer.usage.promptTokens);
      metrics.serverTokens.inc({ kind: 'completion' }, answer.usage.completionTokens);
      metrics.serverCost.inc(answer.usage.costUsd ?? 0);
      return answer;
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      metrics.serverRequests.inc({ outcome: error.isThrottled ? 'throttled' : error.fault });
      return error;
    } finally {
      this.#count();
      this.#inFlight -= 1;
    }
  }

  /** A pause that the server asked for is everybody's. */
  async #untilMayAsk(deadlineMs: number, signal: AbortSignal): Promise<void> {
    const { now, sleep } = this.#options;
    for (;;) {
      signal.throwIfAborted();
      const pauseMs = this.#pauseUntil - now();
      if (pauseMs <= 0 && now() < deadlineMs) return;
      if (now() + pauseMs >= deadlineMs) {
        this.#isDown = true;
        throw new ServerError('unavailable', 'the server has too much to do for this batch');
      }
      // Not all at once, when it is over.
      await sleep(pauseMs + this.#options.random() * Math.min(1000, pauseMs), signal);
    }
  }

  /** Adds up what was asked since it was last called, before that changes. */
  #count(): void {
    const now = this.#options.now();
    this.#busyMs += (now - this.#countedTo) * this.#inFlight;
    this.#countedTo = now;
  }
}
