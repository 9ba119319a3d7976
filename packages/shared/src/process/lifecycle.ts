import { inspect } from 'node:util';
import { describeError, isForUser, isTransient } from '../errors.ts';
import { createLogger, type Logger } from './logging.ts';
import type { MemoryExcess } from './memory-ceiling.ts';

/**
 * How a process starts, stops and ends.
 *
 * Exit status: 0 done, or stopped or recycled in good order; 1 a broken invariant, or a stop that
 * missed its deadline; 2 something for a person to put right, be it a mistake or an outage.
 */

/**
 * Runs a program: whatever it throws ends the process with the right status and one line.
 *
 * @param fit wraps that line to what it is printed on
 */
export async function runProgram(
  name: string,
  main: () => Promise<void>,
  fit?: (text: string) => string,
): Promise<void> {
  await main().catch((error: unknown) => endWith(name, error, fit));
}

/**
 * Runs a program that logs. What ends its start is an event of the log as any other, so that
 * whoever collects JSON lines finds nothing else among them.
 */
export async function runService(name: string, main: () => Promise<void>): Promise<void> {
  const end = (error: unknown) => {
    // A terminal has a person before it, who is told as by any program.
    if (process.stderr.isTTY) return endWith(name, error);
    logEnd(error, createLogger({ process: name, level: 'fatal' }));
    process.exit(exitStatus(error));
  };
  process.on('uncaughtException', end);
  await main().catch(end);
}

function endWith(name: string, error: unknown, fit = (text: string) => text): never {
  process.stderr.write(`${fit(`${name}: ${explain(error)}`)}\n`);
  // A failed start may leave connections and threads open; nothing is in hand to lose.
  process.exit(exitStatus(error));
}

function logEnd(error: unknown, log: Logger): void {
  if (isTold(error)) log.fatal(describeError(error));
  else log.fatal({ err: error }, 'stopping on a broken invariant');
}

function exitStatus(error: unknown): number {
  return isTold(error) ? 2 : 1;
}

/** Whether its message is one line that says all there is to say: whatever stores say is. */
function isTold(error: unknown): boolean {
  const isStores = error instanceof Error && error.name === 'StoreError';
  return isStores || isForUser(error) || isTransient(error);
}

/** One line; for a broken invariant, the stack trace that a report of it needs, and its causes'. */
function explain(error: unknown): string {
  if (isTold(error)) return describeError(error);
  return error instanceof Error ? inspect(error) : String(error);
}

/** Ends the process at once over a broken invariant; what it has in hand goes to another. */
export function crash(error: unknown, log: Logger): never {
  log.fatal({ err: error }, 'stopping on a broken invariant');
  process.exit(1);
}

/** Steps that undo what was opened, run once, newest first, whatever each of them does. */
export class Closers {
  readonly #steps: { name: string; close: () => unknown }[] = [];

  add(name: string, close: () => unknown): void {
    this.#steps.push({ name, close });
  }

  async closeAll(log?: Logger): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step.close();
      } catch (error) {
        log?.warn({ error: describeError(error) }, `closing ${step.name} failed`);
      }
    }
  }
}

/**
 * Why a long-running process stops; with `memory`, for whoever supervises it to start another; with
 * `idleSeconds`, because it was to be paid for only while there is work.
 */
export type StopReason =
  | { signal: NodeJS.Signals }
  | { memory: MemoryExcess }
  | { idleSeconds: number }
  | { error: unknown };

export interface Stop {
  stopped: Promise<StopReason>;
  fail: (error: unknown) => void;
  recycle: (memory: MemoryExcess) => void;
  leave: (idleSeconds: number) => void;
}

/** A terminal and the parent process may both pass the same Ctrl-C on. */
const sameSignalMs = 1_000;

/**
 * Waits until the process should stop: SIGTERM, SIGINT, `fail(error)`, `recycle(memory)` or
 * `leave(idleSeconds)`. A second signal, more than a second later, ends the process at once.
 */
export function untilStopped(): Stop {
  let resolve: (reason: StopReason) => void;
  const stopped = new Promise<StopReason>((r) => {
    resolve = r;
  });
  let firstMs: number | undefined;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      firstMs ??= performance.now();
      if (performance.now() - firstMs > sameSignalMs) process.exit(1);
      resolve({ signal });
    });
  }
  return {
    stopped,
    fail: (error) => resolve({ error }),
    recycle: (memory) => resolve({ memory }),
    leave: (idleSeconds) => resolve({ idleSeconds }),
  };
}

/**
 * Closes everything within a deadline, then ends the process. What is still in hand at the
 * deadline is not lost: its lock expires, and another worker takes it.
 */
export async function stopProcess(
  reason: StopReason,
  options: { closers: Closers; deadlineMs: number; log: Logger },
): Promise<never> {
  const { log } = options;
  if ('signal' in reason) log.info({ signal: reason.signal }, 'stopping');
  else if ('memory' in reason) log.warn(reason.memory, 'recycling: memory is above the ceiling');
  else if ('idleSeconds' in reason) log.info(reason, 'stopping: there was nothing to do');
  else logEnd(reason.error, log);

  const deadline = setTimeout(() => {
    log.error({ deadlineMs: options.deadlineMs }, 'not finished by the deadline: leaving the rest');
    process.exit(1);
  }, options.deadlineMs);
  await options.closers.closeAll(log);
  clearTimeout(deadline);
  log.info('stopped');
  process.exit('error' in reason ? exitStatus(reason.error) : 0);
}
