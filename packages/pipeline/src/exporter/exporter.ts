import { describeError } from '@cutline/shared/errors';
import { type Logger, type Metrics, withDeadline } from '@cutline/shared/process';
import { applyFigures, type SharedFigures } from './apply-figures.ts';
import { type FiguresOptions, FiguresReader } from './figures-reader.ts';

/**
 * Tells what no worker knows by itself: queues, runs and Redis as a whole. A producer has one, and
 * `cutline exporter` where none runs; more than one tell the same.
 *
 * It looks every few seconds, whoever scrapes and how often: a scrape never waits for Redis, and
 * rates do not depend on who asks. When Redis does not answer, all that was known of it is
 * withdrawn, but for `cutline_redis_up 0` and the time of the last contact.
 */
export interface ExporterOptions extends FiguresOptions {
  metrics: Metrics;
  log: Logger;
}

const intervalMs = 5_000;
/** Redis has so long to answer all of it. */
const answerMsMax = 1_500;

export class Exporter {
  readonly #options: Required<Omit<ExporterOptions, 'onForeign'>>;
  readonly #figures: FiguresReader;
  #timer: NodeJS.Timeout | undefined;
  /** A look that Redis has not answered yet. */
  #looking: Promise<SharedFigures> | undefined;
  #contactMs: number | undefined;
  #isUp = true;

  constructor(options: ExporterOptions) {
    this.#options = { now: Date.now, ...options };
    this.#figures = new FiguresReader({
      ...options,
      onForeign: (entry) => options.log.warn({ entry }, 'passed over: no run of this version'),
    });
  }

  /** @returns once it has looked for the first time. */
  async start(): Promise<void> {
    await this.look();
    this.#timer = setInterval(() => void this.look(), intervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#figures.close();
  }

  /** Brings the gauges up to date. Never rejects. */
  async look(): Promise<void> {
    const { metrics, log, now } = this.#options;
    try {
      // Commands to a Redis that is gone wait: they must not pile up.
      if (this.#looking) throw new Error('it has not answered the last time');
      const looking = this.#figures.read().finally(() => {
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
}
