import { setTimeout as sleep } from 'node:timers/promises';
import { openFeatureBooks } from '@cutline/pipeline';
import { isTransient } from '@cutline/shared/errors';
import type { Closers, Settings } from '@cutline/shared/process';
import type { RunState, RunStore } from '@cutline/shared/run';
import { showProgress } from './progress-display.ts';
import { connectToRun } from './run-context.ts';
import { type KnownStatus, type RunStatus, readStatus, type StatusContext } from './run-status.ts';

const intervalMs = 500;
/** For a last look after the end: Redis may be gone, and commands to it wait until it is back. */
const lastLookMs = 2_000;

/** Reads a run's status, connecting to Redis when it is needed, and only once. */
export function statusReader(
  runStore: RunStore,
  settings: Settings<'redis' | 'features'>,
  closers: Closers,
) {
  const connect = async (model: string): Promise<StatusContext> => {
    const context = await connectToRun(settings, model, closers);
    const { features } = settings;
    const books = await openFeatureBooks({ features, redis: context.redis, closers });
    return { ...context, features: books };
  };
  let context: Promise<StatusContext> | undefined;
  const known: KnownStatus = { ledgers: new Map() };
  const connectOnce = ({ run }: RunState) => {
    context ??= connect(run.model);
    return context;
  };
  return (): Promise<RunStatus> => readStatus(runStore, connectOnce, known);
}

/**
 * Shows a run's progress until `until` settles or the run is finished. Outages of the store and of
 * Redis are sat out: they are neither the end of the run nor of watching it.
 *
 * @returns the last that was seen of the run.
 */
export async function watchRun(
  read: () => Promise<RunStatus>,
  options: { until?: Promise<unknown>; notes?: (note: (text: string) => void) => void } = {},
): Promise<RunStatus | undefined> {
  const display = showProgress(process.stderr);
  options.notes?.(display.note);
  let isOver = false;
  const end = (options.until ?? new Promise(() => {})).then(() => {
    isOver = true;
  });
  const tooLate = end.then(() => sleep(lastLookMs, undefined, { ref: false }));
  let last: RunStatus | undefined;
  try {
    for (;;) {
      const isLast = isOver;
      const status = await Promise.race([read().catch(sitOut), tooLate]);
      if (status) display.update(status);
      last = status ?? last;
      if (isLast || status?.summary) return last;
      await Promise.race([sleep(intervalMs), end]);
    }
  } finally {
    display.stop();
  }
}

function sitOut(error: unknown): undefined {
  if (!isTransient(error)) throw error;
}
