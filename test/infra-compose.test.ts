import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSettings, refuseUnknownVariables, settings } from '@cutline/shared/process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { composeErrors } from './support/compose-schema.ts';
import { readCompose } from './support/infra-compose.ts';
import { startProcess, stopProcess } from './support/processes.ts';

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
const othersVariables = ['AWS_ENDPOINT_URL_S3', 'AWS_REGION', 'AWS_SHARED_CREDENTIALS_FILE'];

test.each(['compose.yaml', 'compose.gpu.yaml'] as const)(
  '%s fits the schema of compose',
  (file) => {
    expect(composeErrors(readCompose(file))).toEqual([]);
    const misspelt = structuredClone(readCompose(file));
    Object.assign(misspelt.services['encoder-worker'] ?? {}, { readonly: true });
    expect(composeErrors(misspelt)).toEqual([expect.stringContaining('readonly')]);
  },
);

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

describe.each(services)('%s', (name, service) => {
  test('has an image of one version', () => {
    if (service.build) return;
    expect(service.image).toMatch(/:v?\d+\.\d+\.\d+(-[\w.]+)?$/);
  });

  test('can be changed by nobody, and become nobody else', () => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
  });

  test('is asked how it is, unless it ends by itself', () => {
    const own = service.healthcheck?.test;
    if (service.healthcheck?.disable) expect(['buckets', 'upload', 'cutline']).toContain(name);
    else expect(own !== undefined || service.build !== undefined).toBe(true); // the image's own
  });

  test('has no secret in a variable, and finds those that it is given', () => {
    for (const [name, value] of Object.entries(service.environment ?? {})) {
      if (/PASSWORD|SECRET|ACCESS_KEY|TOKEN|CREDENTIALS/.test(name)) {
        expect(value, name).toMatch(/^\/run\/secrets\//);
        expect(service.secrets).toContain(value?.slice('/run/secrets/'.length));
      }
    }
    const shown = [service.environment, service.command, service.entrypoint];
    for (const [, given] of JSON.stringify(shown).matchAll(/\/run\/secrets\/([\w-]+)/g)) {
      expect(service.secrets).toContain(given);
    }
    for (const secret of service.secrets ?? []) expect(compose.secrets).toHaveProperty(secret);
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

describe('make-secrets.sh', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cutline-secrets-'));
    await copyFile(infraFile('make-secrets.sh'), join(folder, 'make-secrets.sh'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const make = () => {
    const { status, stderr } = spawnSync('/bin/sh', [join(folder, 'make-secrets.sh')], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const read = ({ file }: { file: string }) => readFileSync(join(folder, file), 'utf8');
    return Object.values(compose.secrets ?? {}).map(read);
  };

  test('writes every secret that compose mounts, anew for everybody, and keeps what is there', async () => {
    const first = make();
    expect(first).toHaveLength(2);
    expect(make()).toEqual(first);
    await rm(join(folder, 'secrets'), { recursive: true });
    for (const [index, secret] of make().entries()) expect(secret).not.toBe(first[index]);
  });

  test('in a folder of the owner’s own, and as files that any user of a container can read', () => {
    make();
    const mode = (path: string) => statSync(join(folder, path)).mode & 0o777;
    expect(mode('secrets')).toBe(0o700);
    for (const { file } of Object.values(compose.secrets ?? {})) expect(mode(file)).toBe(0o444);
  });

  test('keys are such as the AWS SDK reads, and such as the S3 server’s shell takes out', () => {
    const [credentials = ''] = make();
    const [, id, secret] =
      /^\[default\]\naws_access_key_id = (\S+)\naws_secret_access_key = (\S{40,})\n$/.exec(
        credentials,
      ) ?? [];
    expect(secret).toBeDefined();
    const script = (named('s3').command?.[0] ?? '')
      .replace('/run/secrets', join(folder, 'secrets'))
      .replace(/^exec .*/m, 'echo "$ROOT_ACCESS_KEY $ROOT_SECRET_KEY"');
    const { stdout } = spawnSync('/bin/sh', ['-euc', script], { encoding: 'utf8' });
    expect(stdout).toBe(`${id} ${secret}\n`);
  });

  test('git does not see them', () => {
    const ignored = readFileSync(infraFile('../.gitignore'), 'utf8').split('\n');
    expect(ignored).toContain('/infra/secrets/');
    for (const { file } of Object.values(compose.secrets ?? {}))
      expect(file).toMatch(/^\.\/secrets\//);
  });
});

describe('redis', () => {
  const settingsFile = infraFile('redis/redis.conf');

  test('takes these settings, which queues need', async () => {
    expect(named('redis').command).toEqual(['redis-server', '/etc/redis/redis.conf']);
    expect(named('redis').volumes).toContain('./redis:/etc/redis:ro');
    const socket = join(await mkdtemp(join(tmpdir(), 'cutline-redis-')), 'redis.sock');
    const server = await startProcess({
      command: 'redis-server',
      args: [settingsFile, '--port', '0', '--unixsocket', socket, '--dir', dirname(socket)],
    });
    try {
      await server.waitForLine(/ready to accept connections/i, 20_000);
      const config = (name: string) => {
        const asked = ['-s', socket, 'config', 'get', name];
        return spawnSync('redis-cli', asked, { encoding: 'utf8' }).stdout.split('\n')[1];
      };
      expect(config('maxmemory')).toBe(String(maxmemoryBytes()));
      expect(config('maxmemory-policy')).toBe('noeviction');
      expect(config('save')).toBe('');
      expect(config('appendonly')).toBe('no');
    } finally {
      await stopProcess(server);
      await rm(dirname(socket), { recursive: true });
    }
  });

  test('has twice the room that features may take', () => {
    for (const name of workers) {
      const budget = Number(named(name).environment?.CUTLINE_FEATURE_BYTES_MAX);
      expect(budget * 2).toBe(maxmemoryBytes());
    }
  });

  function maxmemoryBytes(): number {
    const gigabytes = /^maxmemory (\d+)gb$/m.exec(readFileSync(settingsFile, 'utf8'))?.[1];
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
