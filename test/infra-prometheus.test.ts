import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type HttpPort, Metrics, openHttpPort } from '@cutline/shared/process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { dashboardQueries, withRanges } from './support/infra-metrics.ts';
import { type Process, startProcess, stopProcess } from './support/processes.ts';
import { waitFor } from './support/wait-for.ts';

/**
 * The configuration, the alerts and the dashboard, tried with Prometheus's own programs where they
 * are installed ("apt-get install prometheus" on Debian and Ubuntu brings both).
 */

const folder = fileURLToPath(new URL('../infra/prometheus/', import.meta.url));

function installed(program: string): boolean {
  const found = spawnSync(program, ['--version']).status === 0;
  if (!found)
    console.warn(`SKIPPED: ${program} is not on the PATH, so infra/ is not tried with it.`);
  return found;
}

describe.skipIf(!installed('promtool'))('promtool', () => {
  test.each([
    ['check', 'config', 'prometheus.yml'],
    ['check', 'config', 'machines.yml'],
    ['check', 'config', 'trial.yml'],
    ['check', 'rules', 'alerts.yml', 'scaling.yml'],
    ['test', 'rules', 'alerts.test.yml', 'scaling.test.yml'],
  ])('%s %s %s', (...args) => {
    const { status, stdout, stderr } = spawnSync('promtool', args, {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(status, stdout + stderr).toBe(0);
  });
});

test('on plain machines, it knows the roles that it knows in containers', async () => {
  const jobs = async (file: string): Promise<string[]> =>
    parse(await readFile(join(folder, file), 'utf8')).scrape_configs.map(
      (job: { job_name: string }) => job.job_name,
    );
  const known = (await jobs('prometheus.yml')).filter((job) => job !== 'prometheus');
  for (const file of ['machines.yml', 'trial.yml']) {
    expect(await jobs(file), file).toEqual(expect.arrayContaining(known));
  }
});

describe.skipIf(!installed('prometheus'))('a Prometheus that scrapes the programs’ metrics', () => {
  let data: string;
  let http: HttpPort;
  let feeding: NodeJS.Timeout;
  let prometheus: Process;
  let url: string;

  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'cutline-prometheus-'));
    const metrics = new Metrics({ processMetrics: true });
    feeding = setInterval(() => feed(metrics), 100);
    http = await openHttpPort({
      host: '127.0.0.1',
      port: 0,
      metrics,
      unhealthy: () => undefined,
      ready: {},
    });
    await writeFile(join(data, 'prometheus.yml'), await configFor(`127.0.0.1:${http.port}`));
    prometheus = await startProcess({
      command: 'prometheus',
      args: [
        `--config.file=${join(data, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(data, 'tsdb')}`,
        '--web.listen-address=127.0.0.1:0',
      ],
    });
    const [, address] = await prometheus.waitForLine(/Listening on".* address=(\S+)/, 20_000);
    url = `http://${address}`;
    await waitFor(async () => (await fetch(`${url}/-/ready`)).ok, {
      deadlineMs: 20_000,
      what: 'Prometheus to be ready',
    });
  });

  afterAll(async () => {
    clearInterval(feeding);
    if (prometheus) await stopProcess(prometheus);
    await http?.close();
    await rm(data, { recursive: true, force: true });
  });

  const panels = dashboardQueries()
    .filter(({ expr }) => !expr.includes(' offset ')) // of what was a minute ago
    .map(({ where, expr }) => [where, expr] as const);
  test.each(panels)('shows numbers for %s', async (_, expression) => {
    const query = withRanges(expression, { rateInterval: '5s', range: '1m' });
    await waitFor(
      async () => {
        const { result } = await ask(`query?${new URLSearchParams({ query })}`);
        return result.length > 0 && result.every(({ value }) => Number.isFinite(Number(value[1])));
      },
      { deadlineMs: 20_000, what: `an answer to ${query}` },
    );
  });

  test('evaluates every alert', async () => {
    const rules = await waitFor(
      async () => {
        const { groups } = await ask('rules');
        const found = groups.flatMap((group) => group.rules);
        return found.every((rule) => rule.health !== 'unknown') && found;
      },
      { deadlineMs: 20_000, what: 'the alerts to be evaluated' },
    );
    expect(rules.length).toBeGreaterThan(0);
    expect(rules.filter((rule) => rule.health !== 'ok')).toEqual([]);
  });

  interface Answers {
    result: { value: [number, string] }[];
    groups: { rules: { name: string; health: string; lastError?: string }[] }[];
  }

  /** Prometheus's HTTP API: the `data` of its answer. */
  async function ask(path: string): Promise<Answers> {
    const response = await fetch(`${url}/api/v1/${path}`);
    const answer = (await response.json()) as { status: string; error?: string; data: Answers };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  }
});

/** The real configuration, but faster, and with each program's replicas at `target`. */
async function configFor(target: string): Promise<string> {
  const config = parse(await readFile(join(folder, 'prometheus.yml'), 'utf8'));
  config.global = { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '1s' };
  config.rule_files = config.rule_files.map((file: string) => join(folder, file));
  config.scrape_configs = config.scrape_configs
    .filter((job: { dns_sd_configs?: unknown }) => job.dns_sd_configs)
    .map((job: { job_name: string }) => ({
      job_name: job.job_name,
      static_configs: [{ targets: [target] }],
    }));
  return stringify(config);
}

/** A tenth of a second in the life of a pipeline that does a bit of everything. */
function feed(metrics: Metrics): void {
  metrics.images.inc({ stage: 'list', state: 'listed' }, 64);
  metrics.images.inc({ stage: 'encode', state: 'encoded' }, 62);
  metrics.images.inc({ stage: 'encode', state: 'deferred' });
  metrics.images.inc({ stage: 'decode', state: 'captioned' }, 61);
  metrics.images.inc({ stage: 'decode', state: 'failed' });
  metrics.failures.inc({ class: 'corrupt' });
  metrics.retries.inc({ stage: 'fetch' });
  metrics.batchSplits.inc({ stage: 'encode' });
  metrics.featuresLost.inc();
  for (const stage of [
    'list',
    'fetch',
    'preprocess',
    'encode',
    'store',
    'load',
    'decode',
    'write',
  ]) {
    metrics.stepSeconds.observe({ stage }, 0.02);
  }
  const [run, model] = ['1920s', 'test@00'];
  for (const queue of ['encode', 'decode']) {
    metrics.batchImages.observe({ queue }, 64);
    metrics.queueWaitSeconds.observe({ queue }, 2);
    for (const state of ['waiting', 'active', 'delayed', 'failed']) {
      metrics.queueJobs.set({ model, queue, state }, 3);
    }
    metrics.queueOldestSeconds.set({ model, queue }, 4);
    metrics.queueWorkers.set({ model, queue }, 2);
    metrics.inferenceBusySeconds.inc({ stage: queue }, 0.09);
    metrics.inferenceThreads.set({ stage: queue }, 1);
    metrics.runs.drainSeconds.set({ run, stage: queue }, 60);
    metrics.runs.bottleneck.set({ run, stage: queue }, queue === 'decode' ? 1 : 0);
    metrics.backendInfo.set(
      { stage: queue, backend: 'wasm', reason: 'it was asked for', model: 'test' },
      1,
    );
  }
  metrics.featureBytes.set(1e6);
  metrics.featureBytesBudget.set(1e9);
  metrics.redisMemoryBytes.set(2e6);
  metrics.redisMemoryLimitBytes.set(1e9);
  metrics.redisUp.set(1);
  metrics.memoryCeilingBytes.set(4e9);
  metrics.repeatedCaptionRatio.set(0.01);
  metrics.redisWritable.set(1);
  metrics.redisContactSeconds.set(Date.now() / 1000);
  metrics.runs.info.set({ run, model }, 1);
  metrics.runs.remaining.set({ run }, 640);
  metrics.runs.listedBytes.set({ run }, 1e9);
  metrics.runs.listingComplete.set({ run }, 1);
  metrics.runs.deadline.set({ run }, Date.now() / 1000 + 3600);
  metrics.runs.producers.set({ run }, 1);
  metrics.runs.idleSeconds.set({ run }, 1);
  metrics.runs.failedImages.set({ run, class: 'corrupt' }, 3);
  for (const state of ['listed', 'encoded', 'captioned', 'skipped', 'failed']) {
    metrics.runs.images.set({ run, state }, 1000);
  }
}
