import type { FeatureBooks, JobQueue } from '@cutline/pipeline';
import { progressOf, type RunProgress } from '@cutline/pipeline';
import {
  type Counts,
  countLedgers,
  type RunState,
  type RunStore,
  readRunState,
  type Summary,
} from '@cutline/shared/run';
import type { RedisContext } from './run-context.ts';

/** Everything there is to know of a run at one moment. */
export interface RunStatus {
  run: string;
  results: string;
  progress: RunProgress;
  /** By when it should be done, ISO 8601; absent where nobody said so. */
  deadline?: string;
  /** Present when the run is finished. */
  summary?: Summary;
  /** Whether it was cancelled, and nobody has gone on with it. */
  isCancelled: boolean;
  /** The following are absent where Redis was not asked: the run is finished. */
  queues?: Record<'encode' | 'decode', QueueStatus>;
  featureBytes?: number;
  /** Whether a producer sees the run to its end; without one, it has to be resumed. */
  hasProducer?: boolean;
}

/** What is asked of Redis. */
export interface StatusContext extends RedisContext {
  features: FeatureBooks;
}

export interface QueueStatus {
  waiting: number;
  active: number;
  delayed: number;
  workers: number;
}

/**
 * Asks the results first: a finished run has a summary, and needs no Redis. For a run under way,
 * Redis knows the numbers; where it was flushed, they are counted from the ledgers alone: what is
 * in chunks that are not closed is counted once somebody resumes the run.
 *
 * @param connect is called only for a run under way.
 * Whoever looks again and again asks the store every few seconds alone, as long as a producer is at
 * work: two looks a second would else be a request in four of a run.
 *
 * @param known what earlier looks at the run have found
 */
export async function readStatus(
  runStore: RunStore,
  connect: (state: RunState) => Promise<StatusContext>,
  known: KnownStatus = { ledgers: new Map() },
): Promise<RunStatus> {
  const seen = lately(known) ?? (await lookAtStore(runStore, known));
  if (seen.summary) return statusOfFinished(runStore, seen, seen.summary);
  const { board, queues, features } = await connect(seen);
  const { run } = runStore;
  const hasProducer = (await board.owner(run)) !== undefined;
  // A producer that is gone may have ended its run since the first look.
  const state = hasProducer || seen.isCancelled ? seen : await lookAtStore(runStore, known);
  if (state.summary) return statusOfFinished(runStore, state, state.summary);
  return {
    ...{ run, results: runStore.url, isCancelled: state.isCancelled },
    ...deadlineOf(state),
    progress: (await board.progress(run)) ?? (await countClosed(runStore, state, known.ledgers)),
    queues: { encode: await queueStatus(queues.encode), decode: await queueStatus(queues.decode) },
    featureBytes: await features.bytesInFlight(),
    hasProducer,
  };
}

/** What is remembered from one look to the next. */
export interface KnownStatus {
  /** That were read, by name. */
  ledgers: Map<string, Counts>;
  /** Of a run that is not finished, and when it was read. */
  state?: { found: RunState; readMs: number };
}

const storeLookMs = 5_000;

function lately({ state }: KnownStatus): RunState | undefined {
  return state && performance.now() - state.readMs < storeLookMs ? state.found : undefined;
}

async function lookAtStore(runStore: RunStore, known: KnownStatus): Promise<RunState> {
  const found = await readRunState(runStore);
  known.state = { found, readMs: performance.now() };
  return found;
}

function statusOfFinished({ run, url }: RunStore, state: RunState, summary: Summary): RunStatus {
  const progress = progressOf(summary);
  return { run, results: url, isCancelled: false, ...deadlineOf(state), progress, summary };
}

function deadlineOf({ run: { deadline } }: RunState): Pick<RunStatus, 'deadline'> {
  return deadline === undefined ? {} : { deadline };
}

async function queueStatus(queue: Pick<JobQueue, 'counts' | 'workers'>): Promise<QueueStatus> {
  const { waiting, active, delayed } = await queue.counts();
  return { waiting, active, delayed, workers: await queue.workers() };
}

async function countClosed(
  runStore: RunStore,
  state: RunState,
  known: Map<string, Counts>,
): Promise<RunProgress> {
  const { images } = state.manifest;
  const counts = await countLedgers(runStore, known);
  return {
    listed: images ?? counts.images,
    listingComplete: images === null ? 0 : 1,
    enqueued: 0,
    encoded: counts.captioned,
    captioned: counts.captioned,
    skipped: counts.skipped,
    failed: counts.failed,
    failedByClass: counts.failedByClass,
  };
}
