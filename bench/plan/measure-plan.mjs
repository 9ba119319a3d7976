// @ts-check

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { planSchema } from '@cutline/pipeline';
import { ChildProcesses } from '../../scripts/child-processes.mjs';
import { startArchive } from '../pipeline/archive.mjs';
import { startRedis } from '../pipeline/redis.mjs';
import { runProducer } from '../pipeline/run-producer.mjs';
import { startWorker, withoutSettings } from '../pipeline/start-pipeline.mjs';

/** @import { Interval, Plan, Requests } from '@cutline/pipeline' */
/** @import { Summary } from '@cutline/shared/run' */

/** @typedef {{ what: string, planned: number, low: number, high: number, became: number }} Row */

const name = 'planned';
const flags = ['s3://archive', '--output', 's3://captions', '--run', name];
const app = (/** @type {string} */ path) =>
  fileURLToPath(new URL(`../../apps/${path}`, import.meta.url));

/**
 * @param {string} folder of images
 * @param {{ onStep: (step: string) => void }} options
 * @returns {Promise<{ rows: Row[], page: string }>} the two side by side, and what `status` says
 */
export async function measurePlan(folder, { onStep }) {
  const children = new ChildProcesses();
  onStep('putting them onto the server');
  const archive = await startArchive(folder);
  try {
    const server = await startRedis(children);
    const env = {
      ...withoutSettings(process.env),
      ...archive.env,
      REDIS_URL: server.url,
      CUTLINE_HTTP_HOST: '127.0.0.1',
      CUTLINE_HTTP_PORT: '0',
    };
    onStep('planning');
    const plan = planSchema.parse(JSON.parse(await cutline(['plan', ...flags, '--json'], env)));
    for (const stage of ['encoder', 'decoder']) {
      const program = app(`${stage}-worker/dist/main.js`);
      await startWorker(children, { name: 'planned', stage, program, env });
    }
    onStep('running');
    const before = await archive.requestsByKind();
    const { summary } = await runProducer(flags, env);
    const after = await archive.requestsByKind();
    const page = await cutline(['status', name, '--output', 's3://captions'], env);
    server.redis.disconnect();
    return { rows: compare(plan, summary, { before, after }), page };
  } finally {
    await children.stopAll();
    await archive.stop();
  }
}

/** @param {string[]} args @param {NodeJS.ProcessEnv} env */
async function cutline(args, env) {
  const run = promisify(execFile);
  return (await run(process.execPath, [app('cutline/bin/cutline.js'), ...args], { env })).stdout;
}

/**
 * @param {Plan} plan
 * @param {Summary} summary
 * @param {{ before: Requests, after: Requests }} requests
 * @returns {Row[]}
 */
function compare({ estimate }, summary, { before, after }) {
  const { seconds, failed, requests } = estimate;
  const kinds = /** @type {(keyof Requests)[]} */ (Object.keys(before));
  const counted = kinds.map((kind) => after[kind] - before[kind]);
  const planned = kinds.map((kind) => requests.source[kind] + requests.output[kind]);
  return [
    rowOf('seconds', seconds, (Date.parse(summary.finished) - Date.parse(summary.created)) / 1000),
    rowOf('requests', sum(planned), sum(counted)),
    ...kinds.map((kind, n) => rowOf(`  ${kind}`, planned[n] ?? 0, counted[n] ?? 0)),
    rowOf('failures', failed, summary.failed),
  ];
}

/**
 * @param {string} what
 * @param {Interval | number | undefined} planned
 * @param {number} became
 * @returns {Row}
 */
function rowOf(what, planned = 0, became) {
  if (typeof planned === 'number') {
    return { what, planned, low: planned, high: planned, became };
  }
  const { expected, low, high } = planned;
  return { what, planned: expected, low, high, became };
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
