import {
  type FiguresReader,
  isFinished,
  type RegisteredWorker,
  type RunFound,
  type SharedFigures,
  bottleneck as slowestStage,
  type WorkerRegister,
} from '@cutline/pipeline';
import { withDeadline } from '@cutline/shared/process';
import type { Overview, QueueSeen, RunSeen, Seen, WorkerSeen } from './client/messages.ts';

/**
 * What goes on, as the page shows it: asked of Redis when somebody looks, and at most once at a
 * time, however many pages are open.
 */
export class OverviewReader {
  readonly #figures: Pick<FiguresReader, 'read'>;
  readonly #register: Pick<WorkerRegister, 'read'>;
  readonly #rates = new WorkerRates();
  #asking: Promise<Seen> | undefined;
  #contact: Date | undefined;

  constructor(of: {
    figures: Pick<FiguresReader, 'read'>;
    register: Pick<WorkerRegister, 'read'>;
  }) {
    this.#figures = of.figures;
    this.#register = of.register;
  }

  /** Never rejects; without `seen`, Redis did not answer in time. */
  async read(): Promise<Overview> {
    // A question that a Redis that is gone has not answered is not asked again beside itself.
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    const seen = await withDeadline(this.#asking, answerMsMax).catch(() => undefined);
    if (seen) this.#contact = new Date();
    const contact = this.#contact && { contact: this.#contact.toISOString() };
    return { ...(seen && { seen }), ...contact };
  }

  async #ask(): Promise<Seen> {
    const [figures, workers] = await Promise.all([this.#figures.read(), this.#register.read()]);
    return seenOf(figures, this.#rates.add(workers));
  }
}

const answerMsMax = 2_000;

function seenOf(figures: SharedFigures, workers: WorkerSeen[]): Seen {
  const { memory, isWritable, featureBytes, queues, runs } = figures;
  const { usedBytes, limitBytes } = memory;
  const seen = runs.map((run) => runSeen(run, queues.get(run.model)));
  return {
    redis: { isWritable, usedBytes, limitBytes: Number.isFinite(limitBytes) ? limitBytes : null },
    featureBytes,
    runs: seen.toSorted((a, b) => rank(a) - rank(b)),
    queues: [...queues].flatMap(([model, found]) =>
      (['encode', 'decode'] as const).map((stage): QueueSeen => {
        const { waiting, active, delayed, failed, oldestMs, workers } = found[stage];
        const counts = { waiting, active, delayed, refused: failed, workers };
        return { model, stage, ...counts, oldestSeconds: oldestMs / 1000 };
      }),
    ),
    workers,
  };
}

const rank = ({ state }: RunSeen): number => (state === 'finished' ? 1 : 0);

function runSeen(
  { run, model, progress, rate, idleMs, hasProducer }: RunFound,
  queues: Parameters<typeof slowestStage>[1] | undefined,
): RunSeen {
  const { listed, encoded, captioned, skipped, failed, failedByClass } = progress;
  const finished = isFinished(progress);
  const left = rate.drainSeconds('decode', progress);
  return {
    ...{ run, model, listed, encoded, captioned, skipped, failed, failedByClass },
    state: finished ? 'finished' : hasProducer ? 'running' : 'without a producer',
    isListed: progress.listingComplete === 1,
    rate: finished ? null : (rate.imagesPerSecond('decode') ?? null),
    secondsLeft: finished || left === undefined || !Number.isFinite(left) ? null : left,
    deadlineMs: progress.deadlineMs ?? null,
    idleSeconds: idleMs / 1000,
    bottleneck: (queues && slowestStage(progress, queues)) ?? null,
  };
}

/** How fast workers are: the images between two of their signs, which come every few seconds. */
class WorkerRates {
  #last = new Map<string, { images: number; atMs: number; rate: number | null }>();

  /** @returns the workers with their rates. Those that are gone are forgotten. */
  add(workers: readonly RegisteredWorker[], nowMs = Date.now()): WorkerSeen[] {
    const before = this.#last;
    this.#last = new Map();
    return workers.map(({ id, silentMs, started: _, ...sign }) => {
      const atMs = nowMs - silentMs;
      const last = before.get(id);
      const isNew = !last || atMs - last.atMs > signMsMin;
      const rate =
        last && isNew ? ((sign.images - last.images) / (atMs - last.atMs)) * 1000 : last?.rate;
      const kept = isNew ? { images: sign.images, atMs, rate: rate ?? null } : last;
      this.#last.set(id, kept);
      return { ...sign, rate: rate ?? null, silentSeconds: silentMs / 1000 };
    });
  }
}

/** Two readings of one sign differ by less. */
const signMsMin = 2_000;
