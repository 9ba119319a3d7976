// @ts-check

import { ChildProcesses } from '../../scripts/child-processes.mjs';
import { startRedis } from './redis.mjs';
import { runProducer } from './run-producer.mjs';

/** @import { Lag, Subject, Sample } from '../interleave.mjs' */
/** @import { Archive } from './archive.mjs' */

/**
 * @typedef {object} PipelineOptions
 * @property {string} name
 * @property {Record<string, string>} programs of the workers, by what they are
 * @property {Archive} archive
 * @property {NodeJS.ProcessEnv} [env] of all processes
 * @property {string[]} [runFlags] of the producer
 */

/**
 * A worker of each kind and a Redis of their own, which then caption the archive
 * run by run.
 *
 * @param {PipelineOptions} options
 * @returns {Promise<Subject & { stop: () => Promise<void> }>}
 */
export async function startPipeline({ name, programs, archive, env = {}, runFlags = [] }) {
  const children = new ChildProcesses();
  try {
    const server = await startRedis(children);
    const environment = {
      ...withoutSettings(process.env),
      ...archive.env,
      ...env,
      REDIS_URL: server.url,
      CUTLINE_HTTP_HOST: '127.0.0.1',
      CUTLINE_HTTP_PORT: '0',
    };
    const workers = await Promise.all(
      Object.entries(programs).map(([stage, program]) =>
        startWorker(children, { name, stage, program, env: environment }),
      ),
    );

    const costsSoFar = async () => {
      const scrapes = await Promise.all(workers.map(({ scrape }) => scrape()));
      return {
        s3Requests: await archive.requests(),
        workersCpuSeconds: sum(scrapes.map(({ cpuSeconds }) => cpuSeconds)),
        eventLoopLag: Object.fromEntries(scrapes.map(({ stage, lag }) => [stage, lag])),
        redis: await server.costs(),
      };
    };

    /** Of clients; counted once, in the first run. @type {number | undefined} */
    let redisCommands;
    let runs = 0;
    /** @returns {Promise<Sample>} */
    const runOnce = async () => {
      runs += 1;
      const run = `${name.replaceAll(/\W/g, '-')}-${runs}`;
      const before = await costsSoFar();
      const { summary, cpuSeconds } = await runProducer(
        [archive.source, '--output', archive.output, '--run', run, ...runFlags],
        environment,
      );
      const after = await costsSoFar();
      if (summary.captioned !== archive.images) {
        throw new Error(`${summary.captioned} of ${archive.images} images were captioned`);
      }
      const images = summary.captioned;
      const perImage = {
        workersCpuSeconds: (after.workersCpuSeconds - before.workersCpuSeconds) / images,
        producerCpuSeconds: cpuSeconds / images,
        redisCpuSeconds: (after.redis.cpuSeconds - before.redis.cpuSeconds) / images,
        redisCommands: (redisCommands ?? Number.NaN) / images,
        redisCalls: (after.redis.calls - before.redis.calls) / images,
        redisBytes: (after.redis.bytes - before.redis.bytes) / images,
        s3Requests: (after.s3Requests - before.s3Requests) / images,
      };
      const { workersCpuSeconds, producerCpuSeconds, redisCpuSeconds } = perImage;
      return {
        images,
        seconds: (Date.parse(summary.finished) - Date.parse(summary.created)) / 1000,
        cpuSeconds: (workersCpuSeconds + producerCpuSeconds + redisCpuSeconds) * images,
        perImage,
        eventLoopLag: after.eventLoopLag,
      };
    };

    return {
      name,
      async run() {
        if (redisCommands !== undefined) return runOnce();
        const { result, commands } = await server.countCommands(runOnce);
        redisCommands = commands;
        return result;
      },
      async stop() {
        server.redis.disconnect();
        await children.stopAll();
      },
    };
  } catch (error) {
    await children.stopAll();
    throw error;
  }
}

/** The metrics of an event loop tell how long after one look came the next, which was due by then. */
const lagResolutionSeconds = 0.01;

/**
 * @param {ChildProcesses} children
 * @param {{ name: string, stage: string, program: string, env: NodeJS.ProcessEnv }} worker
 */
export async function startWorker(children, { name, stage, program, env }) {
  const ready = /"msg":"ready/;
  const line = await children.start(`${name} ${stage}`, process.execPath, [program], {
    env,
    ready,
  });
  const url = `http://127.0.0.1:${JSON.parse(line).httpPort}/metrics`;
  return {
    /** By its own account: its CPU time so far, and the lag since the last scrape. */
    async scrape() {
      const metrics = await (await fetch(url)).text();
      const value = (/** @type {string} */ metric) =>
        Number(new RegExp(`^${metric} (\\S+)`, 'm').exec(metrics)?.[1]);
      const lag = (/** @type {string} */ statistic) =>
        value(`nodejs_eventloop_lag_${statistic}_seconds`) - lagResolutionSeconds;
      return {
        stage,
        cpuSeconds: value('process_cpu_seconds_total'),
        lag: /** @type {Lag} */ ({ p99: lag('p99'), max: lag('max') }),
      };
    },
  };
}

/** What the shell sets must not decide what is measured. @param {NodeJS.ProcessEnv} environment */
export function withoutSettings(environment) {
  const foreign = /^(CUTLINE_|AWS_|FEATURES_REDIS_URL$|LOG_LEVEL$)/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !foreign.test(name)));
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
