import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { slowDown } from './support/fault-proxy.ts';
import { dashboardQueries, readAlerts, withRanges } from './support/infra-metrics.ts';
import { type Pipeline, startPipeline, untilDone } from './support/pipeline.ts';
import type { Process } from './support/processes.ts';
import { hasPrometheus, type Prometheus, startPrometheus } from './support/prometheus.ts';
import { sampleImages } from './support/sample-images.ts';
import { waitFor } from './support/wait-for.ts';

/**
 * Cutline's programs, a run with faults in it, and a real Prometheus that watches with the shipped
 * alerts: every query of every dashboard has an answer, and what they say is what the ledger says.
 */

const isInstalled = hasPrometheus('no run is watched');

const images = 1_500;
const broken = 30;

describe.skipIf(!isInstalled)('a run that Prometheus watches', () => {
  let pipeline: Pipeline;
  let prometheus: Prometheus;

  beforeAll(async () => {
    pipeline = await startPipeline({
      redisArgs: ['--maxmemory', '256mb'],
      env: { CUTLINE_MEMORY_BYTES_MAX: String(4 * 1024 ** 3) },
    });
    const good = [...(await sampleImages(images))];
    await pipeline.upload(good, 'watched/');
    await pipeline.upload(
      Array.from({ length: broken }, (_, n) => [`broken-${n}.jpg`, truncated(good)] as const),
      'watched/',
    );
    const exporter = await pipeline.startCutline(['exporter']);
    const [encoder, decoder] = await Promise.all(
      (['encoder-worker', 'decoder-worker'] as const).map((name) => pipeline.startWorker(name)),
    );
    const ports = {
      exporter: await portOf(exporter),
      'encoder-worker': await portOf(encoder!),
      'decoder-worker': await portOf(decoder!),
    };
    prometheus = await startPrometheus(await configFor(ports));
    await waitFor(async () => (await ask('count(up == 1)')).includes(3), {
      deadlineMs: 60_000,
      what: 'Prometheus to have scraped all programs',
    });
  }, 180_000);

  afterAll(async () => {
    await prometheus?.stop();
    await pipeline?.stop();
  });

  test('has data for every panel, and figures that are the ledger’s', {
    timeout: 240_000,
  }, async () => {
    // One download fails, also when the SDK repeats it, and is tried again.
    const key = 'watched/photo-0007.jpg';
    pipeline.proxy.add({ operation: 'get', key, times: 3, does: slowDown });
    const producer = await pipeline.startProducer([
      ...['s3://archive/watched/', '--run', 'watched'],
      ...['--deadline', new Date(Date.now() + 3_600_000).toISOString()],
    ]);

    const open = new Map(
      dashboardQueries()
        .filter(({ expr }) => !expr.includes(' offset ')) // of what was a minute ago
        .map(({ where, expr }) => [where, withRanges(expr, { rateInterval: '1m', range: '5m' })]),
    );
    // What pools are scaled on, once workers were measured.
    for (const stage of ['encode', 'decode']) {
      open.set(
        `work left to ${stage}`,
        `(cutline:pool_workers_wanted{stage="${stage}"} > 0) and on () ` +
          `(cutline:images_per_second{stage="${stage}"} > 0)`,
      );
    }
    await waitFor(
      async () => {
        for (const [where, query] of open) {
          const values = await ask(query);
          if (values.length > 0 && values.every(Number.isFinite)) open.delete(where);
        }
        return open.size === 0;
      },
      { deadlineMs: 120_000, what: 'answers to all queries' },
    ).catch(() => {}); // the next line names those without
    expect([...open.keys()]).toEqual([]);
    await untilDone(producer);

    const results = await pipeline.results('watched');
    const { problems } = results;
    const summary = results.summary!;
    expect(problems).toEqual([]);
    expect(summary.images).toBe(images + broken);
    expect(summary.failedByClass).toEqual({ corrupt: broken });
    // Over longer than the test lasts: an increase leaves out what is before its window.
    const increase = async (metric: string) => (await ask(`sum(increase(${metric}[15m]))`))[0]!;
    await expect
      .poll(
        async () => ({
          remaining: await ask('max(cutline_run_remaining_images{run="watched"})'),
          captioned: await increase('cutline_images_total{stage="decode",state="captioned"}'),
          failed: await increase('cutline_image_failures_total{class="corrupt"}'),
          workLeft: await ask('cutline:pool_worker_seconds_left'),
        }),
        { timeout: 30_000, message: 'figures that are right within a tenth' },
      )
      .toEqual({
        remaining: [0],
        captioned: withinTenth(summary.captioned),
        failed: withinTenth(broken),
        workLeft: [0, 0],
      });
    expect(await increase('cutline_retries_total{stage="fetch"}')).toBeGreaterThan(0.9);
    for (const state of ['captioned', 'skipped', 'failed'] as const) {
      const query = `max(cutline_run_images{run="watched",state="${state}"})`;
      expect(await ask(query), state).toEqual([summary[state]]);
    }
    expect(await ask('max(cutline_run_listed_bytes{run="watched"})')).toEqual([
      await bytesListed(),
    ]);
  });

  test('evaluates every alert without an error, and none fires over a run that went well', async () => {
    const rules = await waitFor(
      async () => {
        const answer: Rules = await prometheus.api('rules');
        const found = answer.groups.flatMap((group) => group.rules);
        return found.every(({ health }) => health !== 'unknown') && found;
      },
      { deadlineMs: 30_000, what: 'the alerts to be evaluated' },
    );
    expect(rules.filter(({ type }) => type === 'alerting')).toHaveLength(readAlerts().length);
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    const firing = rules.filter(({ state }) => state === 'firing').map(({ name }) => name);
    expect(firing).toEqual([]);
  });

  /** Values that Prometheus answers. */
  const ask = (query: string) => prometheus.ask(query);

  async function bytesListed(): Promise<number> {
    let bytes = 0;
    for await (const object of pipeline.source.list('watched/')) bytes += object.bytes ?? 0;
    return bytes;
  }
});

interface Rules {
  groups: { rules: { type: string; name: string; health: string; state: string }[] }[];
}

function withinTenth(exact: number) {
  return expect.toSatisfy(
    (value: number) => Math.abs(value - exact) <= 0.1 * exact,
    `within a tenth of ${exact}`,
  );
}

/** The first half of an image. */
function truncated(good: readonly (readonly [key: string, bytes: Buffer])[]): Buffer {
  const bytes = good[0]![1];
  return bytes.subarray(0, bytes.length >> 1);
}

async function portOf(process: Process): Promise<string> {
  const [, port] = await process.waitForLine(/"httpPort":(\d+),"msg":/, 90_000);
  return port!;
}

/** The real configuration, with fixed targets and short intervals. */
async function configFor(ports: Record<string, string>): Promise<object> {
  const folder = fileURLToPath(new URL('../infra/prometheus/', import.meta.url));
  const config = parse(await readFile(join(folder, 'prometheus.yml'), 'utf8'));
  return {
    global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '1s' },
    rule_files: config.rule_files.map((file: string) => join(folder, file)),
    scrape_configs: Object.entries(ports).map(([job, port]) => ({
      job_name: job,
      static_configs: [{ targets: [`127.0.0.1:${port}`] }],
    })),
  };
}
