import { ImageError } from '@cutline/shared/errors';

/** The time that one image may be decoded for; while it waits for its turn, none of it passes. */
export class DecodingDeadline {
  readonly #timeoutMs: number;
  readonly #passed: Promise<never>;
  #fail: (error: ImageError) => void = () => {};
  #leftMs: number;
  #startedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#leftMs = timeoutMs;
    this.#passed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#passed.catch(() => {}); // it may pass when nobody asks any more
    this.resume();
  }

  pause(): void {
    clearTimeout(this.#timer);
    this.#leftMs -= performance.now() - this.#startedAt;
  }

  resume(): void {
    this.#startedAt = performance.now();
    this.#timer = setTimeout(() => {
      const message = `decoding took longer than ${this.#timeoutMs} ms`;
      this.#fail(new ImageError('timeout', message));
    }, this.#leftMs);
  }

  /** @throws ImageError `timeout`; the work may go on in vain */
  async hold<T>(work: Promise<T>): Promise<T> {
    try {
      return await Promise.race([work, this.#passed]);
    } finally {
      clearTimeout(this.#timer);
    }
  }
}
