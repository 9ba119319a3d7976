import { once } from 'node:events';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { UserError } from '@cutline/shared/errors';
import { ComputeGate } from './compute-gate.ts';
import type { ThreadReady, ThreadReply, ThreadRequest, ThreadSetup } from './inference-messages.ts';

/** The main thread's end of one inference thread: one request at a time, and its death noticed. */
export class ThreadHandle {
  readonly #worker: Worker;
  readonly #gate = new ComputeGate();
  /** What waits for the thread's next reply. */
  #waiting: { resolve: (reply: ThreadReply) => void; reject: (error: Error) => void } | undefined;
  /** The request in hand; resolves however it ends. */
  #inHand: Promise<unknown> = Promise.resolve();
  #closing = false;
  #death: Error | undefined;
  #busyMs = 0;
  #busySince: number | undefined;
  readonly #onDeath: (error: Error) => void;

  /** @param onDeath called once if the thread ends without having been told to */
  constructor(setup: Omit<ThreadSetup, 'gate'>, onDeath: (error: Error) => void) {
    this.#onDeath = onDeath;
    this.#worker = new Worker(new URL('./inference-thread.js', import.meta.url), {
      name: 'inference',
      workerData: { ...setup, gate: this.#gate.shared } satisfies ThreadSetup,
      env: SHARE_ENV, // native engines read the process's environment, not a thread's copy
      execArgv: [], // the process's own (--input-type, --import) are about its own program
    });
    this.#worker.on('message', (reply: ThreadReply) => this.#settle()?.resolve(reply));
    this.#worker.on('error', (cause) => this.#die('failed', cause));
    this.#worker.on('exit', (status) => this.#die(`ended with status ${status}`));
  }

  /**
   * Waits until the model is loaded.
   * @throws UserError where the bundle or the backend cannot be used
   */
  async ready(): Promise<ThreadReady> {
    const reply = await this.#reply();
    if (reply.state === 'refused') throw new UserError(reply.message);
    if (reply.state !== 'ready') throw new Error(`expected a thread to be ready: ${reply.state}`);
    return reply;
  }

  /**
   * Sends a request to a thread that is ready and has none in hand.
   * @param transfer buffers of the request to be handed over; they are empty afterwards
   * @throws what the computation threw, or the thread's death
   */
  async run(request: ThreadRequest, transfer: ArrayBuffer[]): Promise<ThreadReply> {
    const replied = this.#reply();
    this.#inHand = replied.catch(() => {});
    this.#busySince = performance.now();
    this.#worker.postMessage(request, transfer);
    const reply = await replied;
    if (reply.state === 'threw') {
      throw Object.assign(new Error(reply.message), { stack: reply.stack });
    }
    return reply;
  }

  /** Milliseconds in which the thread had a request in hand, since it was started. */
  get busyMs(): number {
    return this.#busyMs + (this.#busySince === undefined ? 0 : performance.now() - this.#busySince);
  }

  /** Ends the thread after the request in hand, if there is one. Never rejects. */
  async close(): Promise<void> {
    if (this.#closing || this.#death) return;
    this.#closing = true;
    await this.#inHand;
    if (this.#death) return;
    const ended = once(this.#worker, 'exit');
    this.#worker.postMessage({ task: 'close' } satisfies ThreadRequest);
    await ended;
  }

  /** The process ends: the thread begins nothing more. */
  stopComputing(): void {
    this.#gate.close();
  }

  /** Blocks until the thread computes nothing, or the time is over. */
  waitUntilIdle(timeoutMs: number): void {
    if (!this.#death) this.#gate.waitUntilEmpty(timeoutMs);
  }

  #reply(): Promise<ThreadReply> {
    return new Promise((resolve, reject) => {
      if (this.#death) reject(this.#death);
      else if (this.#waiting) reject(new Error('an inference thread takes one request at a time'));
      else this.#waiting = { resolve, reject };
    });
  }

  /** Ends the time in which the thread was busy; returns what waited. */
  #settle() {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#busyMs = this.busyMs;
    this.#busySince = undefined;
    return waiting;
  }

  #die(how: string, cause?: unknown): void {
    if (this.#death) return;
    this.#death = new Error(`An inference thread ${how}`, { cause });
    this.#settle()?.reject(this.#death);
    if (!this.#closing) this.#onDeath(this.#death);
  }
}
