import {
  type DriveRunContext,
  driveRun,
  type EncodeJob,
  encodeJobSchema,
  MemoryBoard,
  MemoryQueueServer,
} from '@cutline/pipeline';
import type { FailureClass } from '@cutline/shared/errors';
import { loadParquet } from '@cutline/shared/parquet';
import { createLogger, Metrics } from '@cutline/shared/process';
import {
  type ImageRef,
  type PartRow,
  type Run,
  RunStore,
  readRunState,
  type Usage,
  verifyRun,
} from '@cutline/shared/run';
import { MemoryStore, type ObjectInfo } from '@cutline/shared/stores';
import { expect } from 'vitest';
import { captionedRow, failedRow, skippedRow } from '../../../shared/test/support/example-run.ts';
import { CountingStore } from './counting-store.ts';
import { ManualWorld } from './manual-world.ts';

/** A run that is driven to its end in memory, with a worker that knows what becomes of an image. */
export class DrivenRun {
  readonly captions = new CountingStore('s3://captions');
  readonly runStore: RunStore;
  /** What becomes of an image when it is tried next; every fiftieth fails. */
  outcomeOf: (image: number) => FailureClass | undefined = (image) =>
    image % 50 === 0 ? 'not-found' : undefined;
  usageOf: (image: number) => Usage | undefined = () => undefined;
  captionOf: (image: number) => string = (image) => `one of ${image % 3}`;
  /** Which images are archived, when they are listed. */
  isArchived: (image: number) => boolean = () => false;
  readonly #run: Run;
  readonly #images: number;

  constructor(run: Run, images: number) {
    this.#run = run;
    this.#images = images;
    this.runStore = new RunStore(this.captions, '', run.run);
  }

  /** Drives it to its end, in no time. @returns keys, in the order in which they were tried */
  async drive(what: DriveRunContext['what']): Promise<string[]> {
    await loadParquet(); // which takes time, of which the run's world knows nothing
    const { captions, runStore } = this;
    const run = this.#run;
    const world = new ManualWorld();
    const server = new MemoryQueueServer();
    const open = (stage: 'encode' | 'decode') =>
      server.open<EncodeJob>({ stage, model: run.model, lockMs: 30_000, world });
    const archive = new ColdStore(run.source.store, (image) => this.isArchived(image));
    for (let image = 0; image < this.#images; image++) {
      await archive.put(keyOf(image), Buffer.from('-'));
    }
    const tried: string[] = [];
    const queue = open('encode');
    const work = async () => {
      for (let job = await queue.take(3_600_000); job; job = await queue.take(3_600_000)) {
        const { batch, attempt, images: refs } = encodeJobSchema.parse(job.data);
        tried.push(...refs.map(({ key }) => key));
        const rows = refs.map((ref) => this.#rowOf(ref));
        await runStore.createPart(batch, attempt, rows);
        await queue.finish(job);
      }
    };
    const working = work();
    const driven = driveRun({
      ...{ what, world, window: 8, output: { store: captions.url, prefix: '' } },
      board: new MemoryBoard({ world }),
      openStore: async (url) => (url === captions.url ? captions : archive),
      openQueues: () => ({ encode: open('encode'), decode: open('decode') as never }),
      metrics: new Metrics(),
      log: createLogger({ process: 'test', level: 'fatal' }),
    });
    await world.settle(driven).finally(() => queue.stopTaking());
    await working;
    return tried;
  }

  async expectSound(counts: {
    captioned: number;
    failedByClass: object;
    skippedByReason?: object;
  }): Promise<void> {
    const images = this.#images;
    expect((await verifyRun(this.runStore)).problems).toEqual([]);
    expect((await readRunState(this.runStore)).summary).toMatchObject({ images, ...counts });
  }

  #rowOf({ key, skipped }: ImageRef): PartRow {
    if (skipped) return skippedRow(key, skipped);
    const image = Number.parseInt(key, 10);
    const failure = this.outcomeOf(image);
    const usage = this.usageOf(image);
    const row = failure ? failedRow(key, failure) : captionedRow(key, this.captionOf(image));
    return { ...row, ...(usage && { usage }) };
  }
}

export function keyOf(image: number): string {
  return `${String(image).padStart(6, '0')}.jpg`;
}

class ColdStore extends MemoryStore {
  readonly #isArchived: (image: number) => boolean;

  constructor(url: string, isArchived: (image: number) => boolean) {
    super(url);
    this.#isArchived = isArchived;
  }

  override async *list(...args: Parameters<MemoryStore['list']>): AsyncGenerator<ObjectInfo> {
    for await (const info of super.list(...args)) {
      yield this.#isArchived(Number.parseInt(info.key, 10)) ? { ...info, archived: true } : info;
    }
  }
}
