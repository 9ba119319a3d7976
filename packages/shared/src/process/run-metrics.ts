import { Gauge, type Registry } from 'prom-client';

/**
 * What is told of each run, by exporters alone. The label `run` is bounded by what an exporter
 * shows: runs that are not finished (50 at most), and the last ten that are.
 */
export class RunMetrics {
  readonly #all: Gauge<string>[] = [];

  readonly images = this.#gauge(
    'cutline_run_images',
    'Images of a run, by state (listed, encoded, captioned, skipped, failed)',
    ['run', 'state'],
  );
  readonly failedImages = this.#gauge(
    'cutline_run_failed_images',
    'Images of a run that failed, by class',
    ['run', 'class'],
  );
  readonly remaining = this.#gauge(
    'cutline_run_remaining_images',
    'Images of a run that are listed and have no result yet',
    ['run'],
  );
  readonly listedBytes = this.#gauge(
    'cutline_run_listed_bytes',
    'Bytes of the images that were listed; absent of a run whose listing was interrupted',
    ['run'],
  );
  readonly info = this.#gauge('cutline_run_info', '1; the label model says which a run is of', [
    'run',
    'model',
  ]);
  readonly listingComplete = this.#gauge(
    'cutline_run_listing_complete',
    '1 when all images of a run are listed, else 0',
    ['run'],
  );
  readonly producers = this.#gauge(
    'cutline_run_producers',
    'Producers that see a run to its end: 1, or 0 where none does',
    ['run'],
  );
  readonly idleSeconds = this.#gauge(
    'cutline_run_idle_seconds',
    'Time since the last batch of a run was encoded or captioned',
    ['run'],
  );
  readonly deadline = this.#gauge(
    'cutline_run_deadline_timestamp_seconds',
    'When a run should be done, in seconds since 1970; absent of a run that has no deadline',
    ['run'],
  );
  readonly drainSeconds = this.#gauge(
    'cutline_run_drain_seconds',
    'Images that a stage has left, divided by how many it did a second of late; +Inf when none',
    ['run', 'stage'],
  );
  readonly bottleneck = this.#gauge(
    'cutline_run_bottleneck',
    '1 for the stage that the others of a run wait for, 0 for them',
    ['run', 'stage'],
  );

  constructor(registry: Registry) {
    for (const gauge of this.#all) registry.registerMetric(gauge);
  }

  /** All runs: those that are not told again are gone. */
  forget(): void {
    for (const gauge of this.#all) gauge.reset();
  }

  #gauge<L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> {
    const gauge = new Gauge<L>({ name, help, labelNames, registers: [] });
    this.#all.push(gauge as Gauge<string>);
    return gauge;
  }
}
