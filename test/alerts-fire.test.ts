import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AlertWatch, secondsAMinute, watchAlerts } from './alerts/watch-alerts.ts';
import { readAlerts } from './support/infra-metrics.ts';
import { type Pipeline, startPipeline, type WorkerName } from './support/pipeline.ts';
import { type Process, stopProcess } from './support/processes.ts';
import { hasPrometheus } from './support/prometheus.ts';
import { freePort } from './support/redis-server.ts';
import { sampleImages } from './support/sample-images.ts';
import { scrape } from './support/scrape.ts';
import { waitFor } from './support/wait-for.ts';

/**
 * The alerts that ship fire over what they are about: real programs, a real Redis, S3 server and
 * Prometheus, and a fault for each. Those of Redis always; all of them, in two to three minutes:
 *
 *     ALERTS=all npx vitest run test/alerts-fire.test.ts
 */
const isWhole = process.env.ALERTS === 'all';
const canRun = hasPrometheus('no alert is seen to fire');
const patienceMs = 120_000;

describe.skipIf(!canRun)('alerts', () => {
  let pipeline: Pipeline;
  let watch: AlertWatch;
  let ports: Record<'exporter' | 'encoder' | 'decoder' | 'other' | 'restarting', number>;
  let exporter: Process;
  /** Of another model than the runs have. */
  let other: Process;

  beforeAll(async () => {
    pipeline = await startPipeline({
      redisArgs: ['--maxmemory', '256mb'],
      env: { CUTLINE_FEATURE_BYTES_MAX: '20000' },
    });
    const free = await Promise.all(Array.from({ length: 5 }, freePort));
    const [one, two, three, four, five] = free as [number, number, number, number, number];
    ports = { exporter: one, encoder: two, decoder: three, other: four, restarting: five };
    watch = await watchAlerts();
    exporter = await pipeline.startCutline(['exporter'], at(ports.exporter));
    await watch.scrape({ job: 'exporter', port: ports.exporter });
    other = await startOther();
    await watch.scrape({ job: 'decoder-worker', port: ports.other, scrapeSeconds: 2 });
    await waitFor(async () => (await watch.prometheus.ask('count(up == 1)'))[0] === 2, {
      ...{ deadlineMs: 60_000, what: 'both to be scraped' },
    });
  }, 180_000);

  afterAll(async () => {
    await watch?.stop();
    await pipeline?.stop();
  });

  const at = (port: number) => ({ CUTLINE_HTTP_PORT: String(port) });

  async function startScraped(name: WorkerName, port: number, isNew = true): Promise<Process> {
    const worker = await pipeline.startWorker(name, at(port));
    if (isNew) await watch.scrape({ job: name, port });
    return worker;
  }

  /** A worker that has nothing to do, close to the memory that it may have. */
  async function startOther(): Promise<Process> {
    if (!isWhole) return pipeline.startWorker('decoder-worker', at(ports.other));
    // The model that ships: what it takes stays what it is, and the runs have another.
    const env = { ...at(ports.other), CUTLINE_MODEL: undefined };
    const first = await pipeline.startWorker('decoder-worker', env);
    const bytes = (await scrape(ports.other)).value('process_resident_memory_bytes');
    await stopProcess(first);
    const ceiling = String(Math.round(1.06 * bytes));
    return pipeline.startWorker('decoder-worker', { ...env, CUTLINE_MEMORY_BYTES_MAX: ceiling });
  }

  test.runIf(isWhole)('of runs and workers fire', { timeout: 600_000 }, async () => {
    const good = [...(await sampleImages(600))];
    const bytes = good[0]![1];
    const broken = (count: number) =>
      Array.from({ length: count }, (_, n) => [`broken-${n}.jpg`, bytes.subarray(0, 300)] as const);
    await pipeline.upload([...good, ...broken(2)], 'calm/');
    await pipeline.upload([...good.slice(0, 100), ...broken(60)], 'bad/');
    const encoder = await startScraped('encoder-worker', ports.encoder);
    const decoder = await startScraped('decoder-worker', ports.decoder);
    await pipeline.succeed('run', 's3://archive/calm/', '--run', 'calm');
    await watch.untilFired(['CutlineMemoryNearCeiling', 'CutlineRepeatedCaption'], patienceMs);
    await sleep(15 * secondsAMinute * 1_000); // what comes is held against the quarter of an hour before

    await pipeline.succeed('run', 's3://archive/bad/', '--run', 'bad');
    // A long run, of which nothing is decoded: encoders are held back, and it is late.
    decoder.kill('SIGSTOP');
    const deadline = new Date(Date.now() + 20_000).toISOString();
    const producer = await pipeline.startProducer([
      ...['s3://archive/calm/', '--run', 'long', '--batch-size', '1', '--window', '600'],
      ...['--deadline', deadline],
    ]);
    await watch.untilFired(['CutlineFailureRatioHigh', 'CutlineFailureClassJumps'], patienceMs);
    await watch.untilFired(['CutlineWorkerDown', 'CutlineWorkerIdle'], patienceMs);
    await watch.untilFired(['CutlineFeatureBytesNearBudget', 'CutlineRunStalled'], patienceMs);
    await watch.untilFired(['CutlineQueueGrowing', 'CutlineRunMissesDeadline'], patienceMs);

    await stopProcess(producer);
    for (const worker of [encoder, decoder]) worker.kill('SIGKILL');
    await watch.untilFired(['CutlineRunWithoutProducer', 'CutlineNoWorkers'], patienceMs);

    await Promise.all([stutter(), restartAgainAndAgain()]);
  });

  test('of Redis fire, and so does the one about who would tell', {
    timeout: 300_000,
  }, async () => {
    const redis = new Redis(pipeline.redis.url);
    await redis.config('SET', 'maxmemory', '100kb');
    redis.disconnect();
    await watch.untilFired(['CutlineRedisReadOnly', 'CutlineRedisMemoryHigh'], patienceMs);
    await pipeline.redis.kill();
    await watch.untilFired(['CutlineRedisDown'], patienceMs);
    await stopProcess(exporter);
    await watch.untilFired(['CutlineNoExporter'], patienceMs);
  });

  test.runIf(isWhole)('have all fired, and said something', () => {
    expect([...watch.fired.keys()].toSorted()).toEqual(
      readAlerts()
        .map(({ alert }) => alert)
        .toSorted(),
    );
    for (const [name, summary] of watch.fired) console.info(`${name}: ${summary}`);
  });

  /** A process that is stopped again and again is late in all it does. */
  async function stutter(): Promise<void> {
    const isOver = watch.untilFired(['CutlineEventLoopLag'], patienceMs);
    let goesOn = true;
    isOver
      .finally(() => {
        goesOn = false;
      })
      .catch(() => {});
    while (goesOn) {
      other.kill('SIGSTOP');
      await sleep(1_200);
      other.kill('SIGCONT');
      await sleep(400); // so short that the halts are more than one in a hundred of what it measures
    }
    await isOver;
  }

  async function restartAgainAndAgain(): Promise<void> {
    for (let n = 0; n < 8 && !watch.fired.has('CutlineWorkerRestarting'); n++) {
      const worker = await startScraped('encoder-worker', ports.restarting, n === 0);
      await sleep(2_000); // which is two scrapes
      worker.kill('SIGKILL');
      await worker.exited;
    }
    await watch.untilFired(['CutlineWorkerRestarting'], 5_000);
  }
});
