import { describeError } from '@cutline/shared/errors';
import { BrokenWorkerError } from './job-context.ts';

/** Halving 64 images down to the one that does it takes seven failures, with successes between. */
const failuresMax = 10;

/**
 * Tells a bad image from a broken worker. An image that makes an engine throw does so wherever it
 * goes, but others succeed in between; an engine that throws on everything never does. After so
 * many unforeseen failures in a row the worker stops, and its batches go to others.
 */
export class Breaker {
  #failures = 0;

  succeeded(): void {
    this.#failures = 0;
  }

  /** @throws BrokenWorkerError at the last straw */
  failed(cause: unknown): void {
    this.#failures += 1;
    if (this.#failures < failuresMax) return;
    throw new BrokenWorkerError(
      `${failuresMax} batches in a row failed in ways that nobody foresaw, the last one with: ` +
        describeError(cause),
      { cause },
    );
  }
}

/**
 * Before an image is called bad, the worker proves that it can do others: in a run of few images,
 * they are all divided and blamed before there are many failures in a row.
 * @throws BrokenWorkerError when it cannot
 */
export async function requireProof(prove: () => Promise<unknown>): Promise<void> {
  try {
    await prove();
  } catch (cause) {
    throw new BrokenWorkerError(
      `The engine fails on a made-up image, too (${describeError(cause)}): it is no image's fault`,
      { cause },
    );
  }
}
