// @ts-check

import {
  closeQueues,
  connectRedis,
  driveRun,
  openQueues,
  RedisBoard,
  realWorld,
} from '@cutline/pipeline';
import { listImages } from '@cutline/shared/listing';
import { createLogger, Metrics } from '@cutline/shared/process';
import {
  countLedgers,
  glanceAtRun,
  RunStore,
  readReviewedResults,
  readRunState,
} from '@cutline/shared/run';
import { ChildProcesses } from '../../scripts/child-processes.mjs';
import { startPrivateRedis } from '../../scripts/private-redis.mjs';
import { formatNumber } from '../format-text.mjs';
import { CountingStore } from './counting-store.mjs';
import { nullWorker } from './null-worker.mjs';
import { VirtualArchive } from './virtual-archive.mjs';

/** @import { DriveRunContext, Queues } from '@cutline/pipeline' */
/** @import { Run } from '@cutline/shared/run' */
/** @import { ObjectStore } from '@cutline/shared/stores' */

/** @typedef {{ operation: string, seconds: number, requests: string, remark: string }} Row */

const lockMs = 30_000;
const model = 'null@0123456789ab';
const output = { store: 's3://captions', prefix: '' };

/**
 * A run of so many images with one in a hundred failing, and what is done with a run afterwards.
 *
 * @param {number} images
 * @param {(row: Row) => void} add is given each row as it is measured
 */
export async function measureScale(images, add) {
  const children = new ChildProcesses();
  const url = await startPrivateRedis(children);
  const redis = await connectRedis(url);
  const archive = new VirtualArchive(images);
  const captions = new CountingStore();
  const runStore = new RunStore(captions, '', 'scale');
  /** @param {string} store */
  const openStore = async (store) => (store === archive.url ? archive : captions);
  const board = new RedisBoard(redis);
  const metrics = new Metrics();
  const log = createLogger({ process: 'bench', level: 'fatal' });
  const mood = { failing: true, firstBatchMs: /** @type {number | undefined} */ (undefined) };
  const queues = openQueues({ model, redis, lockMs, world: realWorld });
  const worker = nullWorker({ model, queues, board, metrics, log, openStore, mood });
  const working = worker.run();
  const redisBytes = async () =>
    Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1] ?? Number.NaN);

  /** @param {DriveRunContext['what']} what @param {Life} [life] */
  const drive = async (what, life = { isOver: false }) => {
    const own = openQueues({ model, redis, lockMs, world: realWorld });
    try {
      return await driveRun({
        ...{ what, output, board, metrics, log, window: 256 },
        openStore: async (store) => whileAlive(await openStore(store), life),
        openQueues: () => own,
        world: realWorld,
      });
    } finally {
      await closeQueues(own);
    }
  };

  /**
   * @param {string} operation
   * @param {() => Promise<unknown>} work
   * @param {(startedMs: number) => string | Promise<string>} [remark]
   */
  const time = async (operation, work, remark = () => '') => {
    const before = { ...captions.requests };
    const listsBefore = archive.lists;
    const started = performance.now();
    await work();
    const seconds = (performance.now() - started) / 1000;
    const kinds = Object.entries(captions.requests).flatMap(([kind, n]) => {
      const own = n - before[/** @type {keyof typeof before} */ (kind)];
      return own > 0 ? [`${own} ${kind}`] : [];
    });
    if (archive.lists > listsBefore)
      kinds.push(`${archive.lists - listsBefore} list of the source`);
    add({ operation, seconds, requests: kinds.join(', '), remark: await remark(started) });
  };

  try {
    archive.pageMs = 100;
    await time(
      'listing, at 100 ms a page',
      () => countKeys(archive),
      (started) => `${formatNumber((1000 * images) / (performance.now() - started))} keys/s`,
    );
    const redisBefore = await redisBytes();
    archive.breaksAfter = Math.floor(images / 2);
    const life = { isOver: false };
    await time('run, whose listing breaks off at half', async () => {
      await drive({ begin: runOf() }, life).catch(() => {});
      life.isOver = true;
    });
    archive.breaksAfter = Number.POSITIVE_INFINITY;
    const sampled = sampleQueue(queues, archive);
    await time(
      'resume, to the end',
      () => drive({ resume: 'scale' }),
      async () => {
        const { samples, empty } = await sampled.stop();
        const last = seconds(performance.now() - captions.lastPartMs);
        const requests = captions.total - captions.requestsAtLastPart;
        return `${last} and ${requests} requests from the last part; encode queue empty in ${empty} of ${samples} samples while it was listed`;
      },
    );
    const bytesAfter = (await redisBytes()) - redisBefore;
    const put = [...captions.bytesPut].map(([folder, bytes]) => `${folder} ${bytes}`);
    add({ operation: 'bytes put', seconds: 0, requests: '', remark: put.join(', ') });
    await time('resume, finished', () => drive({ resume: 'scale' }));
    await time('results --limit 5', () => takeRows(runStore, 5));
    captions.atOnceMax = 0;
    await time(
      'results --json',
      () => takeRows(runStore, Number.POSITIVE_INFINITY),
      () => `${captions.atOnceMax} at a time at most`,
    );
    await time('status without Redis', async () => {
      await readRunState(runStore);
      await countLedgers(runStore);
    });
    Object.assign(mood, { failing: false, firstBatchMs: undefined });
    await time(
      'retry',
      () => drive({ resume: 'scale', retry: ['not-found'] }),
      (started) => `first image after ${seconds((mood.firstBatchMs ?? Number.NaN) - started)}`,
    );
    const summary = (await readRunState(runStore)).summary;
    if (summary?.captioned !== images) {
      throw new Error(`${summary?.captioned} of ${images} images were captioned`);
    }
    const keys = await redis.keys('cutline:{run:*');
    const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key)));
    const ofRun = sizes.reduce((/** @type {number} */ sum, size) => sum + Number(size ?? 0), 0);
    const remark = `${ofRun} bytes of the run; ${bytesAfter} more than before, with the jobs done`;
    add({ operation: 'Redis after the run', seconds: 0, requests: '', remark });
  } finally {
    await worker.stop();
    await working;
    await closeQueues(queues);
    redis.disconnect();
    await children.stopAll();
  }
}

/** Of a producer, which in truth is a process, that ends. @typedef {{ isOver: boolean }} Life */

/** A store that does not answer any more after that. @param {ObjectStore} store @param {Life} life */
function whileAlive(store, life) {
  return new Proxy(store, {
    get(_, name) {
      const member = Reflect.get(store, name);
      if (typeof member !== 'function') return member;
      return (/** @type {unknown[]} */ ...args) =>
        life.isOver ? new Promise(() => {}) : member.apply(store, args);
    },
  });
}

/** @returns {Run} */
function runOf() {
  return {
    format: 2,
    run: 'scale',
    created: new Date().toISOString(),
    source: { store: 's3://archive', prefix: '' },
    selection: { keysFrom: null, include: [], exclude: [], limit: null, sample: null },
    model,
    options: {
      ...{ beamSize: 1, candidates: 1, lengthPenalty: 0, lengthMax: 9, lengthMin: 0 },
      ...{ noRepeatNgram: 0, attention: false },
    },
    sidecars: [],
    batchSize: 64,
    chunkBatches: 128,
    cutline: '0.1.0',
  };
}

/**
 * Looks, every 20 ms while the archive is listed, whether jobs wait for an encoder.
 * @param {Queues} queues @param {VirtualArchive} archive
 */
function sampleQueue(queues, archive) {
  const seen = { samples: 0, empty: 0 };
  let isOver = false;
  const sampling = (async () => {
    while (!isOver) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (archive.pagesInHand === 0) continue;
      const { waiting } = await queues.encode.counts();
      seen.samples += 1;
      if (waiting === 0) seen.empty += 1;
    }
  })();
  return {
    async stop() {
      isOver = true;
      await sampling;
      return seen;
    },
  };
}

/** As a producer lists. @param {VirtualArchive} archive */
async function countKeys(archive) {
  let keys = 0;
  const { selection, source } = runOf();
  for await (const _ of listImages({ store: archive, prefix: source.prefix }, selection)) keys += 1;
  return keys;
}

/** As the command does. @param {RunStore} run @param {number} limit */
async function takeRows(run, limit) {
  let rows = 0;
  for await (const some of readReviewedResults(run, await glanceAtRun(run))) {
    rows += some.length;
    if (rows >= limit) return;
  }
}

/** @param {number} ms */
function seconds(ms) {
  return `${(ms / 1000).toFixed(2)} s`;
}
