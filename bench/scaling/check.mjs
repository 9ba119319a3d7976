// @ts-check

/**
 * Holds the simulation to a real run: what workers take for an image is measured in a run of a tenth
 * of the images, as the rules of infra/prometheus/scaling.yml measure it; with it, the whole run is
 * played, and then done.
 *
 *     node bench/scaling/check.mjs [images]
 */
import { link, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom } from '@cutline/captioner';
import { defaultBundleFolder, describeModel } from '@cutline/inference';
import { openQueues, realWorld } from '@cutline/pipeline';
import { ChildProcesses } from '../../scripts/child-processes.mjs';
import { describeMachine } from '../describe-machine.mjs';
import { makeImages } from '../make-images.mjs';
import { startRedis } from '../pipeline/redis.mjs';
import { runProducer } from '../pipeline/run-producer.mjs';
import { always } from './rules.mjs';
import { play, stepSeconds } from './simulate.mjs';

const images = Number(process.argv[2] ?? 20_000);
const distinct = Math.ceil(images / 10);
const batchSize = 64;
/** Batches that a worker has in hand when it is in use, as scaling.yml has it. */
const hands = { encode: 2, decode: 3 };

const folder = await mkdtemp(join(tmpdir(), 'cutline-scaling-'));
const children = new ChildProcesses();
try {
  const machine = describeMachine();
  process.stdout.write(`${machine.cpu}, ${machine.cores} cores, load ${machine.loadBefore}\n`);
  await makeImages(join(folder, 'some'), distinct);
  await repeatImages(join(folder, 'some'), join(folder, 'all'), images);
  const { url, redis } = await startRedis(children);
  const env = {
    ...process.env,
    REDIS_URL: url,
    CUTLINE_OUTPUT: join(folder, 'captions'),
    CUTLINE_HTTP_HOST: '127.0.0.1',
    CUTLINE_HTTP_PORT: '0',
  };
  for (const stage of ['encoder', 'decoder']) {
    const program = join(import.meta.dirname, `../../apps/${stage}-worker/dist/main.js`);
    await children.start(stage, process.execPath, [program], { env, ready: /"msg":"ready/ });
  }
  const { id: model } = await describeModel(defaultBundleFolder());
  const queues = openQueues({ model, redis, lockMs: 30_000, world: realWorld });

  /** @param {string} name @param {string} source */
  const run = async (name, source) => {
    let [looks, encoding, decoding] = [0, 0, 0];
    let isOver = false;
    const watching = (async () => {
      for (; !isOver; await sleep(250)) {
        const [encode, decode] = [await queues.encode.counts(), await queues.decode.counts()];
        looks += 1;
        encoding += encode.active / hands.encode;
        decoding += decode.active / hands.decode;
      }
    })();
    const { summary } = await runProducer([source, '--run', name], env);
    isOver = true;
    await watching;
    const seconds = (Date.parse(summary.finished) - Date.parse(summary.created)) / 1000;
    const each = (/** @type {number} */ inUse) => ((inUse / looks) * seconds) / summary.captioned;
    return { seconds, images: summary.captioned, encode: each(encoding), decode: each(decoding) };
  };

  await run('warm-up', join(folder, 'some'));
  const measured = await run('measured', join(folder, 'some'));
  const secondsPerImage = { encode: measured.encode, decode: measured.decode };
  const { runs } = play(
    {
      arrivals: [{ atSeconds: 0, images }],
      ...{ days: 1, secondsPerImage, batchSize, windowImages: 256 * batchSize },
    },
    { startSeconds: 0, crashesPerHour: 0, lossesPerHour: 0, lockSeconds: 30 },
    { encode: always(1), decode: always(1) },
    createRandom(1),
  );
  const played = runs[0]?.doneAt ?? Number.NaN;
  const real = await run('whole', join(folder, 'all'));
  for (const queue of Object.values(queues)) await queue.close();
  redis.disconnect();
  const ms = (/** @type {number} */ seconds) => `${(seconds * 1000).toFixed(2)} ms`;
  process.stdout.write(
    `measured on ${measured.images} images: a worker takes ${ms(measured.encode)} to encode one, ` +
      `${ms(measured.decode)} to decode one\n` +
      `played: ${images} images in ${played} s (steps of ${stepSeconds} s)\n` +
      `real:   ${real.images} images in ${real.seconds.toFixed(1)} s\n` +
      `played ÷ real: ${(played / real.seconds).toFixed(3)}\n`,
  );
} finally {
  await children.stopAll();
  await rm(folder, { recursive: true, force: true });
}

/** The same images under more names. @param {string} from @param {string} to @param {number} count */
async function repeatImages(from, to, count) {
  await mkdir(to);
  const names = await readdir(from);
  for (let n = 0; n < count; n++) {
    const name = /** @type {string} */ (names[n % names.length]);
    await link(join(from, name), join(to, `${n}-${name}`));
  }
}
