import { UserError } from '../errors.ts';

/**
 * Keeps a worker's resident memory in view: once it is above a ceiling, the worker should finish
 * what it has in hand and end, and its supervisor start another. So a leak, or memory that an
 * engine does not give back, costs a restart in good order, and no kill by the kernel in the middle
 * of a batch.
 */

/** What was found above the ceiling. */
export interface MemoryExcess {
  residentBytes: number;
  memoryBytesMax: number;
}

export interface MemoryCeilingOptions {
  memoryBytesMax: number;
  /** Called once. */
  onExcess: (excess: MemoryExcess) => void;
  /** Of this process, in bytes; default: what the operating system says. */
  residentBytes?: () => number;
}

const intervalMs = 1_000;

export class MemoryCeiling {
  readonly #options: Required<MemoryCeilingOptions>;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MemoryCeilingOptions) {
    this.#options = { residentBytes: process.memoryUsage.rss, ...options };
  }

  /**
   * Begins to look every second; `look` may be called at any time besides.
   * @throws UserError where the ceiling is exceeded already: it would be after every restart.
   */
  start(): void {
    const { residentBytes, memoryBytesMax } = this.#options;
    const bytes = residentBytes();
    if (bytes > memoryBytesMax) {
      throw new UserError(
        `With its model loaded this worker takes ${bytes} bytes of memory, and ` +
          `--memory-bytes-max (or CUTLINE_MEMORY_BYTES_MAX) is ${memoryBytesMax}: raise it well ` +
          'above that, or leave it out.',
      );
    }
    this.#timer = setInterval(() => this.look(), intervalMs);
  }

  look(): void {
    if (!this.#timer) return;
    const { memoryBytesMax, onExcess } = this.#options;
    const residentBytes = this.#options.residentBytes();
    if (residentBytes <= memoryBytesMax) return;
    this.stop();
    onExcess({ residentBytes, memoryBytesMax });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
