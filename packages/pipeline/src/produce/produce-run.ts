import { mkdir } from 'node:fs/promises';
import { describeError, type FailureClass } from '@cutline/shared/errors';
import { requireKeysList } from '@cutline/shared/listing';
import type { Closers, Logger, Metrics } from '@cutline/shared/process';
import { type Run, RunStore, type Summary } from '@cutline/shared/run';
import { type Location, patientStore, type StorePool } from '@cutline/shared/stores';
import type { Redis } from 'ioredis';
import { RedisBoard } from '../board/redis-board.ts';
import { closeQueues, openQueues, type Queues } from '../queue/open-queues.ts';
import { connectRedis, logOutages } from '../redis/redis.ts';
import { realWorld } from '../world.ts';
import { beginRun, type ClaimedRun, resumeRun } from './claim-run.ts';
import { produce } from './produce.ts';
import { resumeListing } from './resume-listing.ts';
import { resultsPrefix } from './run-request.ts';

export interface ProduceRunOptions {
  /** A new run, or the name of one that exists. */
  what: { begin: Run } | { resume: string; retry?: readonly FailureClass[] };
  output: Location;
  redisUrl: string;
  stores: StorePool;
  /** Jobs of the run at most, in both queues. */
  window: number;
  metrics: Metrics;
  log: Logger;
  /** Gets what is opened, to close it. */
  closers: Closers;
  /** Called once the run is ours, and before anything is listed or enqueued. */
  onStarted?: (started: StartedRun) => Promise<void> | void;
}

export interface StartedRun {
  run: Run;
  runStore: RunStore;
  redis: Redis;
  queues: Queues;
}

/** How long the blocks of a producer's own jobs would last: it takes none. */
const lockMs = 30_000;

/**
 * Begins a run, or goes on with one, and sees it to its end; through outages of the stores and of
 * Redis, for as long as they last.
 *
 * @returns the summary; of a run that is finished, without touching it.
 * @throws UserError for what a person has to put right
 */
export async function produceRun(options: ProduceRunOptions): Promise<Summary> {
  const { what, output, stores, log, closers, metrics, window } = options;
  const world = realWorld;
  await createOutputFolder(output.store);
  const plain = await stores.open(output.store);
  await plain.check(); // at the start, what cannot be reached is a mistake, and no outage
  const outputStore = patientStore(plain, { world, ...told(log, 'the output store') });
  const name = 'begin' in what ? what.begin.run : what.resume;
  const runStore = new RunStore(outputStore, output.prefix, name);

  const redis = await connectRedis(options.redisUrl);
  closers.add('Redis', () => redis.disconnect());
  logOutages(redis, log);
  const board = new RedisBoard(redis);
  const context = { board, runStore, world };
  const claimed =
    'begin' in what
      ? await checkSource(what.begin, stores).then(() => beginRun(context, what.begin))
      : await resumeRun(context, what);
  if ('finished' in claimed) return claimed.finished;
  closers.add('lock', () => claimed.lock.release());

  const { run } = claimed.state;
  const queues = openQueues({ model: run.model, redis, lockMs, world });
  closers.add('queues', () => closeQueues(queues));
  const listing = await openListing(claimed, { runStore, output, stores, log });
  await options.onStarted?.({ run, runStore, redis, queues });
  const { generation } = claimed.claim;
  log.info({ run: run.run, results: runStore.url, generation }, 'producing');
  const base = { runStore, output, queues, board, window, world, metrics, log };
  const summary = await Promise.race([produce(base, claimed, listing), claimed.lock.lost]);
  log.info({ run: run.run, captioned: summary.captioned, failed: summary.failed }, 'run finished');
  return summary;
}

/** Before a run is begun with it. */
async function checkSource(run: Run, stores: StorePool): Promise<void> {
  const store = await stores.open(run.source.store);
  await store.check();
  const { keysFrom } = run.selection;
  if (keysFrom !== null) await requireKeysList(keysFrom, store);
}

/** What is left to list; undefined where the manifest is complete. */
async function openListing(
  { state }: ClaimedRun,
  {
    runStore,
    output,
    stores,
    log,
  }: { runStore: RunStore } & Pick<ProduceRunOptions, 'output' | 'stores' | 'log'>,
) {
  if (state.manifest.images !== null) return undefined;
  const { source } = state.run;
  const plain = await stores.open(source.store);
  const store = patientStore(plain, { world: realWorld, ...told(log, 'the source') });
  const exceptPrefix = resultsPrefix(source, output);
  return resumeListing(runStore, state, { store, prefix: source.prefix }, { exceptPrefix });
}

function told(log: Logger, name: string) {
  return {
    onWait: (error: unknown) => log.warn({ error: describeError(error) }, `waiting for ${name}`),
    onOver: (durationMs: number) => log.warn({ durationMs }, `${name} answers again`),
  };
}

/** A missing folder is made; a missing parent is more likely a disk that is not mounted. */
async function createOutputFolder(storeUrl: string): Promise<void> {
  if (storeUrl.startsWith('file:')) await mkdir(new URL(storeUrl)).catch(() => {});
}
