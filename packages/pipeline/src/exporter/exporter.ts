import { describeError } from '@cutline/shared/errors';
import { type Logger, type Metrics, withDeadline } from '@cutline/shared/process';
import type { Redis } from 'ioredis';
import type { EnlistedRun, RunBoard } from '../board/run-board.ts';
import type { FeatureBooks } from '../features/feature-books.ts';
import { closeQueues, type Queues } from '../queue/open-queues.ts';
import { redisMemory } from '../redis/redis-info.ts';
import { applyFigures, type RunFound, type SharedFigures } from './apply-figures.ts';
import { isFinished, RunRate } from './run-figures.ts';

/**
 * Tells what no worker knows by itself: queues, runs and Redis as a whole. A producer has one, and
 * `cutline exporter` where none runs; more than one tell the same.
 *
 * It looks every few seconds, whoever scrapes and how often: a scrape never waits for Redis, and
 * rates do not depend on who asks. When Redis does not answer, all that was known of it is
 * withdrawn, but for `cutline_redis_up 0` and the time of the last contact.
 */
export interface ExporterOptions {
  redis: Redis;
  board: RunBoard;
  features: Pick<FeatureBooks, 'bytesInFlight'>;
  openQueues: (model: string) => Queues;
  metrics: Metrics;
  log: Logger;
  /** Milliseconds since 1970; default: the clock. */
  now?: () => number;
}

const intervalMs = 5_000;
/** Redis has so long to answer all of it. */
const answerMsMax = 1_500;
const writeMsMax = 500;

/** Of runs that are finished, so many are shown; of others, all that are enlisted. */
const finishedRunsMax = 10;

export class Exporter {
  readonly #options: Required<ExporterOptions>;
  readonly #queues = new Map<string, Queues>();
  readonly #rates = new Map<string, RunRate>();
  #timer: NodeJS.Timeout | undefined;
  /** A look that Redis has not answered yet. */
  #looking: Promise<SharedFigures> | undefined;
  #contactMs: number | undefined;
  #isUp = true;

  constructor(options: ExporterOptions) {
    this.#options = { now: Date.now, ...options };
  }

  /** @returns once it has looked for the first time. */
  async start(): Promise<void> {
    await this.look();
    this.#timer = setInterval(() => void this.look(), intervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#queues.values()].map(closeQueues));
    this.#queues.clear();
  }

  /** Brings the gauges up to date. Never rejects. */
  async look(): Promise<void> {
    const { metrics, log, now } = this.#options;
    try {
      // Commands to a Redis that is gone wait: they must not pile up.
      if (this.#looking) throw new Error('it has not answered the last time');
      const looking = this.#gather().finally(() => {
        this.#looking = undefined;
      });
      this.#looking = looking;
      const figures = await withDeadline(looking, answerMsMax);
      this.#contactMs = now();
      metrics.forgetShared();
      applyFigures(metrics, figures);
      this.#say(true, () => log.info('Redis tells its figures again'));
    } catch (error) {
      metrics.forgetShared();
      metrics.redisUp.set(0);
      metrics.redisWritable.set(0);
      this.#say(false, () => log.warn({ error: describeError(error) }, 'Redis tells no figures'));
    }
    if (this.#contactMs !== undefined) metrics.redisContactSeconds.set(this.#contactMs / 1000);
  }

  #say(isUp: boolean, say: () => void): void {
    if (isUp !== this.#isUp) say();
    this.#isUp = isUp;
  }

  async #gather(): Promise<SharedFigures> {
    const { redis, board, features } = this.#options;
    const [enlisted, memory, featureBytes, isWritable] = await Promise.all([
      board.enlisted(),
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
    const { board, now } = this.#options;
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
    const queues = this.#queues.get(model) ?? this.#options.openQueues(model);
    this.#queues.set(model, queues);
    const read = async (queue: Queues['encode'] | Queues['decode']) => {
      const [counts, oldest, workers] = await Promise.all([
        queue.counts(),
        queue.oldestWaiting(),
        queue.workers(),
      ]);
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
