/**
 * Keeps a process from ending in the middle of a native computation. When a process exits, its
 * threads are stopped wherever they are, and ONNX Runtime answers that by aborting the process: a
 * Ctrl-C would end in status 134 and a line about Napi::Error. So the thread says when it computes,
 * and the main thread, on its way out, closes the gate and waits for what is in hand.
 *
 * Two words that both threads see: whether the gate is closed, and whether the thread is within.
 */
const closedWord = 0;
const withinWord = 1;

export class ComputeGate {
  /** To be handed to the other thread, whose gate is made from it. */
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(shared = new SharedArrayBuffer(8)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** Before a computation. @returns false when the process is ending: compute nothing. */
  enter(): boolean {
    Atomics.store(this.#words, withinWord, 1);
    if (Atomics.load(this.#words, closedWord) === 0) return true;
    this.leave();
    return false;
  }

  /** After a computation, however it went. */
  leave(): void {
    Atomics.store(this.#words, withinWord, 0);
    Atomics.notify(this.#words, withinWord);
  }

  /** From now on nobody enters. */
  close(): void {
    Atomics.store(this.#words, closedWord, 1);
  }

  /** Blocks this thread until the other one has left, or the time is over. */
  waitUntilEmpty(timeoutMs: number): void {
    Atomics.wait(this.#words, withinWord, 1, timeoutMs);
  }
}
