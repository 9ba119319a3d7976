import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { failureClasses } from '../errors.ts';
import { version } from '../version.ts';
import { CaptionShare } from './caption-share.ts';
import { RunMetrics } from './run-metrics.ts';
import { noTracing, type Tracing } from './tracing.ts';

/**
 * Every metric that Cutline exports, in one place, so that the dashboard and the processes cannot
 * drift apart. Names start with `cutline_`, use base units, and end in `_total` for counters.
 * Labels are few and bounded: never a key or a job; `run` only where the exporter bounds
 * it: every run that is not finished (50 at most), and the last ten that are.
 *
 * A process creates one `Metrics` in its main.ts and hands it to what needs it.
 */
export type Stage = 'list' | 'encode' | 'decode';

/** The timed steps of the pipeline, in the order in which an image meets them. */
export type Step =
  | 'list' // one chunk of the manifest
  | 'fetch' // one image from the store
  | 'preprocess' // one image: decode, orient, resize
  | 'ask' // one image, asked about at a server: one try
  | 'encode' // one batch through the CNN
  | 'store' // one batch of features into their home
  | 'load' // one batch of features out of their home
  | 'decode' // one batch through beam search
  | 'write'; // one part into the store

/** How images leave each stage. */
const imageStates: Record<Stage, string[]> = {
  list: ['listed'],
  encode: ['encoded', 'failed', 'deferred'],
  decode: ['captioned', 'skipped', 'failed'],
};

/** How requests to a server end; `unavailable` is an outage or a timeout. */
const serverOutcomes = [
  'answered',
  'throttled',
  'unavailable',
  'overflow',
  'rejected',
  'misconfigured',
];

export type QueueName = 'encode' | 'decode';

export class Metrics {
  readonly registry = new Registry();

  readonly images = this.#counter(
    'cutline_images_total',
    'Images that left a stage, by outcome (listed, encoded, captioned, skipped, failed, deferred)',
    ['stage', 'state'],
  );
  readonly failures = this.#counter(
    'cutline_image_failures_total',
    'Images that ended as a failure row, by class; counted where the part is written',
    ['class'],
  );
  readonly retries = this.#counter(
    'cutline_retries_total',
    'Operations on one image that were tried again after a transient fault, by step',
    ['stage'],
  );
  readonly batchSplits = this.#counter(
    'cutline_batch_splits_total',
    'Batches split in halves because workers died or failed on them',
    ['stage'],
  );
  readonly featuresLost = this.#counter(
    'cutline_features_lost_total',
    'Batches sent back to be encoded because their features were missing or damaged',
  );
  readonly serverRequests = this.#counter(
    'cutline_server_requests_total',
    'Requests to the server behind which the model is, by outcome',
    ['outcome'],
  );
  readonly serverTokens = this.#counter(
    'cutline_server_tokens_total',
    'Tokens of its answers, by kind (prompt, completion)',
    ['kind'],
  );
  readonly serverCost = this.#counter(
    'cutline_server_cost_dollars_total',
    'US dollars that its answers cost, by the price that was given with the model',
  );
  readonly stepSeconds = new Histogram({
    name: 'cutline_step_seconds',
    help: 'Duration of one step (fetch, preprocess, ask: an image; list: a chunk of the manifest; the others: a batch)',
    labelNames: ['stage'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [this.registry],
  });
  readonly batchImages = new Histogram({
    name: 'cutline_batch_images',
    help: 'Images in a job when a worker takes it',
    labelNames: ['queue'] as const,
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    registers: [this.registry],
  });
  readonly queueWaitSeconds = new Histogram({
    name: 'cutline_queue_wait_seconds',
    help: 'Time between a job being enqueued and a worker taking it',
    labelNames: ['queue'] as const,
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400],
    registers: [this.registry],
  });
  readonly queueJobs = this.#gauge('cutline_queue_jobs', 'Jobs in a queue of a model, by state', [
    'model',
    'queue',
    'state',
  ]);
  readonly queueOldestSeconds = this.#gauge(
    'cutline_queue_oldest_job_seconds',
    'Age of the job that has waited longest; 0 when none waits',
    ['model', 'queue'],
  );
  readonly queueWorkers = this.#gauge(
    'cutline_queue_workers',
    'Workers that are connected to a queue to take its jobs',
    ['model', 'queue'],
  );
  readonly featureBytes = this.#gauge(
    'cutline_feature_bytes',
    'Bytes of features in flight between encoders and decoders',
  );
  readonly featureBytesBudget = this.#gauge(
    'cutline_feature_bytes_budget',
    'Bytes of features in flight at which encoders stop taking work',
  );
  readonly redisUp = this.#gauge('cutline_redis_up', '1 when Redis answers, 0 when it does not');
  readonly redisWritable = this.#gauge(
    'cutline_redis_writable',
    '1 when Redis takes writes; 0 when it is gone, full, or a replica',
  );
  readonly redisContactSeconds = this.#gauge(
    'cutline_redis_last_contact_timestamp_seconds',
    'When Redis last answered, in seconds since 1970',
  );
  readonly redisMemoryBytes = this.#gauge('cutline_redis_memory_bytes', 'used_memory of Redis');
  readonly redisMemoryLimitBytes = this.#gauge(
    'cutline_redis_memory_limit_bytes',
    'maxmemory of Redis; absent where there is none',
  );
  readonly runs = new RunMetrics(this.registry);
  readonly inferenceBusySeconds = this.#counter(
    'cutline_inference_busy_seconds_total',
    'Time in which inference threads computed, or a server was asked; summed over threads',
    ['stage'],
  );
  readonly inferenceThreads = this.#gauge(
    'cutline_inference_threads',
    'Threads (or questions to a server) that can be busy at once',
    ['stage'],
  );
  readonly memoryCeilingBytes = this.#gauge(
    'cutline_memory_ceiling_bytes',
    '--memory-bytes-max of a worker; absent where there is none',
  );
  readonly repeatedCaptionRatio = this.#gauge(
    'cutline_repeated_caption_ratio',
    'Share of the most frequent caption among the last 5,000 (0 to 1); absent before 500',
  );
  readonly buildInfo = this.#gauge(
    'cutline_build_info',
    '1; the label version says which Cutline this is',
    ['version'],
  );
  readonly backendInfo = this.#gauge(
    'cutline_backend_info',
    '1; the labels say which backend computes, why that one, and which model is loaded',
    ['stage', 'backend', 'reason', 'model'],
  );

  /** Where steps that are timed are told as spans. */
  readonly tracing: Tracing;

  constructor(options: { processMetrics?: boolean; tracing?: Tracing } = {}) {
    this.tracing = options.tracing ?? noTracing;
    if (options.processMetrics) collectDefaultMetrics({ register: this.registry });
    this.#startAtZero();
    this.forgetShared();
    // Not all processes have one.
    this.featureBytesBudget.remove();
    this.memoryCeilingBytes.remove();
    this.repeatedCaptionRatio.remove();
  }

  /**
   * Takes back what was told of Redis and of what is in it: figures that nobody can vouch for any
   * more are absent, and no zeros. Of labels, those that are not told again are gone.
   */
  forgetShared(): void {
    this.runs.forget();
    for (const gauge of [this.queueJobs, this.queueOldestSeconds, this.queueWorkers]) gauge.reset();
    // `reset` makes those without labels 0.
    for (const gauge of [
      ...[this.featureBytes, this.redisUp, this.redisWritable, this.redisContactSeconds],
      ...[this.redisMemoryBytes, this.redisMemoryLimitBytes],
    ]) {
      gauge.remove();
    }
  }

  /** Of an image that was captioned. */
  countCaption(caption: string): void {
    this.#captions.add(caption);
    const share = this.#captions.share();
    if (share !== undefined) this.repeatedCaptionRatio.set(share);
  }

  readonly #captions = new CaptionShare();

  /** How busy a stage was since its start; `seconds` never falls. */
  setBusy(stage: QueueName, { seconds, threads }: { seconds: number; threads: number }): void {
    const before = this.#busySeconds.get(stage) ?? 0;
    this.inferenceBusySeconds.inc({ stage }, Math.max(0, seconds - before));
    this.#busySeconds.set(stage, Math.max(seconds, before));
    this.inferenceThreads.set({ stage }, threads);
  }

  readonly #busySeconds = new Map<QueueName, number>();

  /** Prometheus misses the first increment of a series that did not exist before: they all exist. */
  #startAtZero(): void {
    for (const [stage, states] of Object.entries(imageStates)) {
      for (const state of states) this.images.inc({ stage, state }, 0);
    }
    this.buildInfo.set({ version }, 1);
    for (const failureClass of failureClasses) this.failures.inc({ class: failureClass }, 0);
    for (const stage of ['encode', 'decode']) this.batchSplits.inc({ stage }, 0);
    for (const stage of ['fetch', 'ask']) this.retries.inc({ stage }, 0);
    for (const outcome of serverOutcomes) this.serverRequests.inc({ outcome }, 0);
    for (const kind of ['prompt', 'completion']) this.serverTokens.inc({ kind }, 0);
  }

  /** Runs `work` as a span, and records how long it took, whether or not it throws. */
  async time<T>(
    step: Step,
    work: () => Promise<T>,
    attributes: Record<string, string> = {},
  ): Promise<T> {
    const stop = this.stepSeconds.startTimer({ stage: step });
    try {
      return await this.tracing.span(step, { attributes }, work);
    } finally {
      stop();
    }
  }

  #counter<L extends string = never>(name: string, help: string, labelNames: L[] = []) {
    return new Counter<L>({ name, help, labelNames, registers: [this.registry] });
  }

  #gauge<L extends string = never>(name: string, help: string, labelNames: L[] = []) {
    return new Gauge<L>({ name, help, labelNames, registers: [this.registry] });
  }
}
