import { withDeadline } from '@cutline/shared/process';
import type { Redis } from 'ioredis';
import { RedisBoard } from '../board/redis-board.ts';
import type { EnlistedRun, RunBoard } from '../board/run-board.ts';
import type { FeatureBooks } from '../features/feature-books.ts';
import { closeQueues, openQueues, type Queues } from '../queue/open-queues.ts';
import { redisMemory } from '../redis/redis-info.ts';
import { realWorld } from '../world.ts';
import type { RunFound, SharedFigures } from './apply-figures.ts';
import { isFinished, RunRate } from './run-figures.ts';

/**
 * What no process knows by itself: queues, runs and Redis as a whole. Asked every few seconds, it
 * also knows how fast runs are; what it remembers for that is bounded by the runs that it finds.
 */
export interface FiguresOptions {
  redis: Redis;
  features: Pick<FeatureBooks, 'bytesInFlight'>;
  /** Told once of what is in the list of runs and is none. */
  onForeign?: (entry: string) => void;
  /** Milliseconds since 1970; default: the clock. */
  now?: () => number;
}

const writeMsMax = 500;
/** Of no consequence: it takes no jobs. */
const lockMs = 30_000;

/** Of runs that are finished, so many are shown; of others, all that are enlisted. */
const finishedRunsMax = 10;

export class FiguresReader {
  readonly #options: Required<Omit<FiguresOptions, 'onForeign'>>;
  readonly #board: RunBoard;
  readonly #queues = new Map<string, Queues>();
  readonly #rates = new Map<string, RunRate>();

  constructor(options: FiguresOptions) {
    this.#options = { now: Date.now, ...options };
    const told = new Set<string>();
    this.#board = new RedisBoard(options.redis, {
      onForeign(entry) {
        if (!told.has(entry)) options.onForeign?.(entry);
        told.add(entry);
      },
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map(closeQueues));
    this.#queues.clear();
  }

  /** Rejects with what the connection throws; commands to a Redis that is gone wait. */
  async read(): Promise<SharedFigures> {
    const { redis, features } = this.#options;
    const [enlisted, memory, featureBytes, isWritable] = await Promise.all([
      this.#board.enlisted(),
      redisMemory(redis),
      features.bytesInFlight(),
      this.#takesWrites(),
    ]);
    const found = (await Promise.all(enlisted.map((run) => this.#findRun(run)))).flat();
    const beyond = found.filter(({ progress }) => isFinished(progress)).slice(finishedRunsMax);
    const runs = found.filter((run) => !beyond.includes(run));
    await this.#forgetOthers(runs);
    const models = [...new Set(runs.map(({ model }) => model))];
    const queues = new Map(
      await Promise.all(
        models.map(async (model) => [model, await this.#readQueues(model)] as const),
      ),
    );
    return { runs, queues, memory, featureBytes, isWritable };
  }

  /** None of a run of which nothing is known any more. */
  async #findRun({ run, model }: EnlistedRun): Promise<RunFound[]> {
    const { now } = this.#options;
    const board = this.#board;
    const [progress, owner, idleMs] = await Promise.all([
      board.progress(run),
      board.owner(run),
      board.idleMs(run),
    ]);
    if (!progress) return [];
    const rate = this.#rates.get(run) ?? new RunRate(now());
    this.#rates.set(run, rate);
    rate.add(now(), progress);
    const hasProducer = owner !== undefined;
    const known = rate.knownMs(now());
    return [{ run, model, progress, rate, idleMs: idleMs ?? known, hasProducer }];
  }

  /** What is kept here is bounded by the runs that are shown. */
  async #forgetOthers(runs: readonly RunFound[]): Promise<void> {
    for (const run of this.#rates.keys()) {
      if (!runs.some((shown) => shown.run === run)) this.#rates.delete(run);
    }
    for (const [model, queues] of this.#queues) {
      if (runs.some((shown) => shown.model === model)) continue;
      this.#queues.delete(model);
      await closeQueues(queues);
    }
  }

  async #readQueues(model: string) {
    const { redis } = this.#options;
    const queues =
      this.#queues.get(model) ?? openQueues({ model, redis, lockMs, world: realWorld });
    this.#queues.set(model, queues);
    const read = async (queue: Queues['encode'] | Queues['decode']) => {
      const [counts, workers] = await Promise.all([queue.counts(), queue.workers()]);
      const oldest = counts.waiting > 0 ? await queue.oldestWaiting() : undefined;
      const oldestMs = oldest === undefined ? 0 : Math.max(0, this.#options.now() - oldest);
      return { ...counts, oldestMs, workers };
    };
    return { encode: await read(queues.encode), decode: await read(queues.decode) };
  }

  /** A Redis that is full, or a replica, says so when it is written to, and not before. */
  async #takesWrites(): Promise<boolean> {
    const write = this.#options.redis.set('cutline:probe', '1', 'PX', 60_000);
    return withDeadline(write, writeMsMax).then(
      () => true,
      () => false,
    );
  }
}
