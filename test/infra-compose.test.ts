import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { connectRedis } from '@cutline/pipeline';
import { readSettings, refuseUnknownVariables, settings } from '@cutline/shared/process';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readCompose } from './support/infra-compose.ts';
import { readAlerts } from './support/infra-metrics.ts';
import { startRedis } from './support/redis-server.ts';

/** compose.yaml, held against the programs it starts and the files it mounts. */

const compose = readCompose('compose.yaml');
const services = Object.entries(compose.services);
const programs = services.filter(([, service]) => service.build);
const workers = ['encoder-worker', 'decoder-worker'];
const named = (name: string) => {
  const service = compose.services[name];
  if (!service) throw new Error(`compose.yaml has no service ${name}`);
  return service;
};
const infraFile = (path: string) => fileURLToPath(new URL(`../infra/${path}`, import.meta.url));

/** Variables that the AWS SDK reads by itself. */
const othersVariables = [
  'AWS_ENDPOINT_URL_S3',
  'AWS_REGION',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
];

test('has every program of the pipeline, and what it stands on', () => {
  expect(programs.map(([name]) => name).toSorted()).toEqual([
    'cutline',
    'decoder-worker',
    'encoder-worker',
    'exporter',
    'producer',
  ]);
  expect(Object.keys(compose.services)).toEqual(
    expect.arrayContaining(['redis', 's3', 'buckets', 'upload', 'prometheus', 'grafana']),
  );
});

describe.each([...programs, ...Object.entries(readCompose('compose.gpu.yaml').services)])(
  '%s',
  (_, { environment = {} }) => {
    test('is given variables that the programs know', () => {
      const known = [...Object.values(settings).map((setting) => setting.env), ...othersVariables];
      const others = Object.keys(environment).filter((name) => !name.startsWith('CUTLINE_'));
      expect(known).toEqual(expect.arrayContaining(others));
      expect(() => refuseUnknownVariables(environment as NodeJS.ProcessEnv)).not.toThrow();
    });

    test('is given values that the programs accept', () => {
      for (const [name, { env }] of Object.entries(settings)) {
        const value = environment[env];
        if (typeof value === 'string') {
          readSettings({ [name]: value }, [name as keyof typeof settings]);
        }
      }
    });
  },
);

test('builds one image for each worker, and one for the other programs', () => {
  const built = (image: string, target: string) => ({
    image,
    build: { context: '..', dockerfile: 'infra/Dockerfile', target },
  });
  const others = built('cutline', 'cutline');
  expect(programs.map(([name, { image, build }]) => [name, { image, build }])).toEqual([
    ['producer', others],
    ['cutline', others],
    ['exporter', others],
    ...workers.map((name) => [name, built(`cutline-${name}`, name)]),
  ]);
});

describe.each(services)('%s', (_, service) => {
  test('has an image of one version', () => {
    if (service.build) return;
    expect(service.image).toMatch(/:v?\d+\.\d+\.\d+(-[\w.]+)?$/);
  });

  test('waits for what can come', () => {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      if (condition === 'service_healthy') expect(named(other).healthcheck?.test).toBeDefined();
      else expect(named(other)).toBeDefined();
    }
  });

  test('is reached from this machine alone, and mounts what exists', () => {
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    for (const volume of service.volumes ?? []) {
      const [source = ''] = volume.split(':');
      if (source.startsWith('.')) expect(existsSync(infraFile(source)), source).toBe(true);
      else expect(compose.volumes).toHaveProperty(source);
    }
  });
});

describe('redis', () => {
  const args = named('redis').command?.slice(1) ?? [];
  const after = (flag: string) => args[args.indexOf(flag) + 1];

  test('starts with these arguments, and is fit for queues', async () => {
    const server = await startRedis({ args });
    try {
      const redis = await connectRedis(server.url);
      const config = async (name: string) => (await redis.config('GET', name))[1];
      expect(await config('maxmemory')).toBe(String(maxmemoryBytes()));
      expect(await config('maxmemory-policy')).toBe('noeviction');
      expect(await config('save')).toBe('');
      expect(await config('appendonly')).toBe('no');
      redis.disconnect();
    } finally {
      await server.stop();
    }
  });

  test('has twice the room that features may take', () => {
    for (const name of workers) {
      const budget = Number(named(name).environment?.CUTLINE_FEATURE_BYTES_MAX);
      expect(budget * 2).toBe(maxmemoryBytes());
    }
  });

  test('has the memory that the alert about it knows of', () => {
    const alert = readAlerts().find((rule) => rule.alert === 'CutlineRedisMemoryHigh');
    expect(alert?.expr).toContain(String(maxmemoryBytes()));
  });

  function maxmemoryBytes(): number {
    const gigabytes = /^(\d+)gb$/.exec(after('--maxmemory') ?? '')?.[1];
    return Number(gigabytes) * 1024 ** 3;
  }
});

describe.each(workers)('%s', (name) => {
  const { environment, stop_grace_period = '', restart, deploy } = named(name);

  test('may finish what it has in hand', () => {
    const graceMs = Number.parseInt(stop_grace_period, 10) * 1000;
    expect(graceMs).toBeGreaterThan(Number(environment?.CUTLINE_SHUTDOWN_MS));
  });

  test('ends by itself before the kernel ends it, and is started again', () => {
    expect(restart).toMatch(/^(always|unless-stopped)$/);
    const limit = deploy?.resources.limits?.memory;
    expectRoom(environment?.CUTLINE_MEMORY_BYTES_MAX, limit);
  });
});

describe('compose.gpu.yaml', () => {
  const { 'encoder-worker': encoder, ...others } = readCompose('compose.gpu.yaml').services;

  test('gives encoders the variant for GPUs, under a name of its own, and insists on one', () => {
    expect(others).toEqual({});
    expect(encoder?.build).toEqual({ args: { TENSORFLOW: 'gpu' } });
    expect(encoder?.image).toBe(`${named('encoder-worker').image}:gpu`);
    expect(encoder?.environment?.CUTLINE_DEVICE).toBe('gpu');
  });

  test('leaves room between the two limits of memory, too', () => {
    const limit = encoder?.deploy?.resources.limits?.memory;
    expectRoom(encoder?.environment?.CUTLINE_MEMORY_BYTES_MAX, limit);
  });
});

/** A fifth at least, since memory is looked at between batches. */
function expectRoom(bytesMax: string | null | undefined, limit = ''): void {
  const gibibytes = Number(/^(\d+)G$/.exec(limit)?.[1]);
  expect(Number(bytesMax)).toBeGreaterThan(0);
  expect(Number(bytesMax)).toBeLessThanOrEqual(0.8 * gibibytes * 1024 ** 3);
}

describe('Prometheus', () => {
  const { scrape_configs } = parse(readFileSync(infraFile('prometheus/prometheus.yml'), 'utf8'));

  test('looks for every long-running program under its name and port', () => {
    const found = scrape_configs.flatMap((job: { job_name: string; dns_sd_configs?: object[] }) =>
      (job.dns_sd_configs ?? []).map((dns) => ({ job: job.job_name, ...dns })),
    );
    expect(found).toEqual(
      ['producer', 'exporter', 'encoder-worker', 'decoder-worker'].map((name) => ({
        job: name,
        names: [name],
        type: 'A',
        port: Number(settings.httpPort.default),
        refresh_interval: '10s',
      })),
    );
    for (const { job } of found) expect(named(job).build).toBeDefined();
  });

  test('is where Grafana looks, at the interval that Grafana assumes', () => {
    const { datasources } = parse(
      readFileSync(infraFile('grafana/provisioning/datasources/prometheus.yaml'), 'utf8'),
    );
    expect(datasources[0].url).toBe('http://prometheus:9090');
    const { global } = parse(readFileSync(infraFile('prometheus/prometheus.yml'), 'utf8'));
    expect(datasources[0].jsonData.timeInterval).toBe(global.scrape_interval);
  });
});

test('Grafana finds the dashboard where its volumes put it', () => {
  const { environment, volumes } = named('grafana');
  const mount = volumes?.find((volume) => volume.startsWith('./grafana/dashboards:'));
  const folder = mount?.split(':')[1];
  const { providers } = parse(
    readFileSync(infraFile('grafana/provisioning/dashboards/cutline.yaml'), 'utf8'),
  );
  expect(providers[0].options.path).toBe(folder);
  expect(environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH).toBe(`${folder}/cutline.json`);
});
