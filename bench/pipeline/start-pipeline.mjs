// @ts-check

import { closeQueues, openQueues } from '@cutline/shared';
import { ChildProcesses } from '../../scripts/child-processes.mjs';
import { startRedis } from './redis.mjs';
import { runProducer } from './run-producer.mjs';

/** @import { Subject, Sample } from '../interleave.mjs' */
/** @import { Archive } from './archive.mjs' */

/**
 * @typedef {object} PipelineOptions
 * @property {string} name
 * @property {{ encoder: string, decoder: string }} programs of the workers
 * @property {Archive} archive
 * @property {NodeJS.ProcessEnv} [env] of all processes
 * @property {string[]} [runFlags] of the producer
 */

/**
 * One encoder-worker, one decoder-worker and a Redis of their own, which then caption the archive
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
        startWorker(children, `${name} ${stage}`, program, environment),
      ),
    );
    const queues = openQueues(server.redis);

    const costsSoFar = async () => ({
      s3Requests: await archive.requests(),
      workersCpuSeconds: sum(await Promise.all(workers.map(({ cpuSeconds }) => cpuSeconds()))),
      redis: await server.costs(),
    });

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
        seconds: ((await lastDecoded(queues, run)) - Date.parse(summary.created)) / 1000,
        cpuSeconds: (workersCpuSeconds + producerCpuSeconds + redisCpuSeconds) * images,
        perImage,
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
        await closeQueues(queues);
        server.redis.disconnect();
        await children.stopAll();
      },
    };
  } catch (error) {
    await children.stopAll();
    throw error;
  }
}

/**
 * @param {ChildProcesses} children
 * @param {string} name
 * @param {string} program
 * @param {NodeJS.ProcessEnv} env
 */
async function startWorker(children, name, program, env) {
  const ready = /"msg":"ready/;
  const line = await children.start(name, process.execPath, [program], { env, ready });
  const url = `http://127.0.0.1:${JSON.parse(line).httpPort}/metrics`;
  return {
    /** So far, by its own account. */
    async cpuSeconds() {
      const metrics = await (await fetch(url)).text();
      return Number(/^process_cpu_seconds_total (\S+)/m.exec(metrics)?.[1]);
    },
  };
}

/**
 * When the run's last batch was done, in ms since 1970. The producer's own end comes later: it
 * looks every two seconds whether jobs are left.
 *
 * @param {import('@cutline/shared').Queues} queues
 * @param {string} run
 */
async function lastDecoded({ decode }, run) {
  const finished = await decode.getJobs(['completed'], 0, 99);
  return Math.max(
    ...finished.filter(({ data }) => data.run === run).map(({ finishedOn = 0 }) => finishedOn),
  );
}

/** What the shell sets must not decide what is measured. @param {NodeJS.ProcessEnv} environment */
function withoutSettings(environment) {
  const foreign = /^(CUTLINE_|AWS_|FEATURES_REDIS_URL$|LOG_LEVEL$)/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !foreign.test(name)));
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
