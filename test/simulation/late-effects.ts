import { type BatchAttempt, type Claim, generationOf, type Summary } from '@cutline/shared/run';

/** How long a process may take to learn that a run is over. */
const graceMs = 60_000;

/**
 * Watches for processes that go on with what nobody wants any more. The results do not tell, since
 * whatever an old generation writes is written beside what counts; but somebody has to do the work.
 *
 * - Whoever slept may do the one thing that they were about to do. A producer whose run was
 *   cancelled, and who woke and did more, did not ask.
 * - A worker that does something for an attempt that is void has at least asked for it.
 */
export class LateEffects {
  readonly violations: string[] = [];
  readonly #now: () => number;
  readonly #run: string;
  /** Attempts below it are void, since then. */
  #floor = { generation: 0, sinceMs: 0 };
  /** Below the last claim that cancelled, since whoever cancelled was done. */
  #cancelled = { generation: 0, sinceMs: 0 };

  /** @param run that is watched; what is done for others is none of its business. */
  constructor(now: () => number, run: string) {
    this.#now = now;
    this.#run = run;
  }

  /** Something was put into the output store. */
  saw(key: string, bytes: Uint8Array): void {
    if (!key.startsWith(`runs/${this.#run}/`)) return;
    const json = () => JSON.parse(Buffer.from(bytes).toString());
    if (/\/claims\/\d+\.json$/.test(key)) {
      const { kind, generation } = json() as Claim;
      if (kind === 'cancel') this.#raise(generation);
    } else if (key.endsWith('/summary.json')) this.#raise((json() as Summary).generation + 1);
  }

  /** "cutline cancel" has returned, by which time the producer has stopped. */
  wasCancelled(run: string, generation: number): void {
    if (run !== this.#run) return;
    this.#cancelled = { generation, sinceMs: this.#now() };
  }

  /** @returns what a producer calls when it enqueues a job. */
  ofProducer(name: string): (job: BatchAttempt) => void {
    let late = 0;
    return ({ run, attempt }) => {
      if (run !== this.#run || !this.#isLate(attempt, this.#cancelled)) return;
      late += 1;
      if (late === 2) this.violations.push(`${name} went on with a run that had been cancelled`);
    };
  }

  /** @returns what a worker calls when it takes a job, asks for the floor, and has an effect. */
  ofWorker(name: string) {
    const takenMs = new Map<number, number>();
    let askedMs = Number.NEGATIVE_INFINITY;
    return {
      took: ({ run, batch }: BatchAttempt) => {
        if (run === this.#run && !takenMs.has(batch)) takenMs.set(batch, this.#now());
      },
      asked: () => {
        askedMs = this.#now();
      },
      does: ({ run, batch, attempt }: BatchAttempt) => {
        if (run !== this.#run || !this.#isLate(attempt, this.#floor)) return;
        if (askedMs >= (takenMs.get(batch) ?? 0)) return;
        this.violations.push(`${name} went on with attempt ${attempt}, which was void, unasked`);
      },
    };
  }

  #raise(generation: number): void {
    if (generation > this.#floor.generation) this.#floor = { generation, sinceMs: this.#now() };
  }

  #isLate(attempt: string, below: { generation: number; sinceMs: number }): boolean {
    return generationOf(attempt) < below.generation && this.#now() > below.sinceMs + graceMs;
  }
}
