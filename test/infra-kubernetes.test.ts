import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSettings, refuseUnknownVariables, settings } from '@cutline/shared/process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readCompose } from './support/infra-compose.ts';
import {
  bytesOf,
  kubectlInstalled,
  type Manifest,
  podsOf,
  readManifests,
  render,
  renderFolder,
  schemaErrors,
} from './support/infra-kubernetes.ts';

/** The manifests of infra/kubernetes: what kustomize makes of them, and what is so in all of them. */

const infraFile = (path: string) => fileURLToPath(new URL(`../infra/${path}`, import.meta.url));
const readInfra = (path: string) => readFileSync(infraFile(path), 'utf8');
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const overlays = readdirSync(infraFile('kubernetes/overlays'));

test('the rules of Prometheus Operator are those of infra/prometheus', () => {
  const { stderr, status } = spawnSync(
    process.execPath,
    [infraFile('kubernetes/generate.mjs'), '--check'],
    { encoding: 'utf8' },
  );
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
});

test('every dashboard comes along', () => {
  const { configMapGenerator } = parse(readInfra('grafana/kustomization.yaml'));
  const files = configMapGenerator.flatMap(({ files }: { files: string[] }) => files);
  const dashboards = readdirSync(infraFile('grafana/dashboards'));
  expect(files).toEqual(dashboards.toSorted().map((name) => `dashboards/${name}`));
});

const isInstalled = kubectlInstalled();

describe.skipIf(!isInstalled)('overlays', () => {
  const rendered = new Map((isInstalled ? overlays : []).map((name) => [name, render(name)]));
  const named = (overlay: string, kind: string, name: string) => {
    const found = rendered
      .get(overlay)
      ?.find((each) => each.kind === kind && each.metadata.name === name);
    if (!found) throw new Error(`${overlay} has no ${kind} ${name}`);
    return found;
  };

  test('are those that docs/KUBERNETES.md tells of', () => {
    expect(overlays).toEqual(['cpu', 'gpu', 'keda', 'trial']);
  });

  test('fit the schemas that Kubernetes, KEDA and Prometheus Operator publish', async () => {
    expect(await schemaErrors([...rendered.values()].flat())).toEqual([]);
  });

  test('would be refused with a field that is misspelt, and with a value that is none', async () => {
    const [scaled, worker] = [
      named('keda', 'ScaledObject', 'encoder-worker'),
      named('cpu', 'Deployment', 'encoder-worker'),
    ];
    const changed = (manifest: Manifest, change: (spec: Manifest['spec']) => void) => {
      const clone = structuredClone(manifest);
      change(clone.spec);
      return clone;
    };
    const errors = await schemaErrors([
      changed(scaled, (spec) => {
        spec.minReplicas = 0;
      }),
      changed(scaled, (spec) => {
        spec.fallback.behavior = 'stay';
      }),
      changed(worker, ({ template }) => {
        template.spec.containers[0].readinessProbe.httpGet.prot = 'metrics';
      }),
      changed(worker, (spec) => {
        spec.replicas = 'two';
      }),
    ]);
    for (const what of ['minReplicas', '"stay"', 'prot', 'spec/replicas']) {
      expect(errors).toContainEqual(expect.stringContaining(what));
    }
  });

  describe.each([...rendered])('%s', (overlay, manifests) => {
    const pods = podsOf(manifests);
    const settingsMap = manifests.find(({ metadata }) => /^cutline-settings-/.test(metadata.name));

    test('has the programs, and no other pods than those', () => {
      const programs = ['decoder-worker', 'encoder-worker', 'exporter'];
      expect(pods.map(([name]) => name)).toEqual([
        ...programs.map((name) => `Deployment ${name}`),
        ...(overlay === 'trial' ? ['StatefulSet redis'] : []),
      ]);
    });

    test('is in one namespace, which admits restricted pods alone', () => {
      for (const { kind, metadata } of manifests) {
        if (kind !== 'Namespace') expect(metadata.namespace, metadata.name).toBe('cutline');
      }
      expect(named(overlay, 'Namespace', 'cutline').metadata.labels).toMatchObject({
        'pod-security.kubernetes.io/enforce': 'restricted',
      });
    });

    test('has no secret in it', () => {
      expect(manifests.filter(({ kind }) => kind === 'Secret')).toEqual([]);
      const secret = /PASSWORD|SECRET|TOKEN|ACCESS_KEY|REDIS_URL|REDISCLI_AUTH/;
      for (const { data = {}, metadata } of manifests) {
        if (metadata.name.startsWith('dashboard-')) continue;
        for (const name of Object.keys(data)) expect(name).not.toMatch(secret);
      }
      for (const [name, { spec }] of pods) {
        for (const variable of spec.containers[0].env ?? []) {
          if (!secret.test(variable.name)) continue;
          expect(variable, name).not.toHaveProperty('value');
          expect(variable.valueFrom.secretKeyRef.name, name).toBe('cutline-redis');
        }
      }
    });

    test('has settings that the programs know, with values that they accept', () => {
      const own = pods.flatMap(([name, { spec }]) =>
        name.endsWith('redis') ? [] : (spec.containers[0].env ?? []),
      );
      const values: Record<string, string> = { ...settingsMap?.data };
      for (const { name, value } of own) if (value !== undefined) values[name] = value;
      expect(() => refuseUnknownVariables(values)).not.toThrow();
      const known = Object.values(settings).map(({ env }) => env as string);
      for (const name of Object.keys(values)) {
        expect([...known, 'AWS_REGION'], name).toContain(name);
      }
      for (const [name, { env }] of Object.entries(settings)) {
        if (values[env]) {
          readSettings({ [name]: values[env] }, [name as keyof typeof settings]);
        }
      }
    });

    test('selects pods that there are', () => {
      const labels = pods.map(([, { metadata }]) => metadata.labels);
      const selectors = manifests.flatMap(({ kind, spec }) => {
        if (kind === 'Service') return [spec.selector];
        if (kind === 'NetworkPolicy') return [spec.podSelector.matchLabels];
        return spec?.selector?.matchLabels ? [spec.selector.matchLabels] : [];
      });
      expect(selectors.length).toBeGreaterThan(5);
      for (const selector of selectors) {
        const found = labels.filter((each) =>
          Object.entries(selector).every(([key, value]) => each[key] === value),
        );
        expect(found.length, JSON.stringify(selector)).toBeGreaterThan(0);
      }
    });

    test.each(pods)('confines the pods of %s', (_, { spec }) => {
      expect(confinement(spec)).toEqual([]);
    });

    describe.each(pods.filter(([name]) => name.endsWith('-worker')))('%s', (_, { spec }) => {
      const [container] = spec.containers;
      const value = (name: string) =>
        container.env.find((each: { name: string }) => each.name === name)?.value ??
        settingsMap?.data?.[name];

      test('may finish what it has in hand', () => {
        const graceMs = spec.terminationGracePeriodSeconds * 1000;
        expect(graceMs).toBeGreaterThan(Number(value('CUTLINE_SHUTDOWN_MS')) + 5_000);
      });

      test('has the cores that it computes on, and ends before the kernel ends it', () => {
        const { limits, requests } = container.resources;
        expect(requests.cpu).toBe(value('CUTLINE_THREADS'));
        expect(Number(value('CUTLINE_MEMORY_BYTES_MAX'))).toBeLessThanOrEqual(
          0.8 * bytesOf(limits.memory),
        );
        expect(requests.memory).toBe(limits.memory);
      });

      test('is spread, each pool and version by itself', () => {
        for (const spread of spec.topologySpreadConstraints) {
          expect(spread.matchLabelKeys).toEqual([
            'app.kubernetes.io/component',
            'pod-template-hash',
          ]);
        }
        expect(spec.topologySpreadConstraints).toHaveLength(2);
      });
    });

    test.each(pods.filter(([name]) => !name.endsWith('redis')))(
      '%s is asked what it serves, where it serves it',
      (_, { spec }) => {
        const [{ ports, startupProbe, livenessProbe, readinessProbe }] = spec.containers;
        expect(ports).toEqual([
          { name: 'metrics', containerPort: Number(settings.httpPort.default) },
        ]);
        // What these pages say is held by http-port.test.ts and health.test.ts.
        expect([startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet)).toEqual(
          [
            { path: '/healthz', port: 'metrics' },
            { path: '/healthz', port: 'metrics' },
            { path: '/readyz', port: 'metrics' },
          ],
        );
        // /readyz takes up to two seconds to say what does not answer.
        expect(readinessProbe.timeoutSeconds).toBeGreaterThan(2);
        const startSeconds = startupProbe.periodSeconds * startupProbe.failureThreshold;
        expect(startSeconds).toBeGreaterThanOrEqual(300);
      },
    );

    test('has a budget for each pool, which no pod that is not ready uses up', () => {
      for (const name of ['encoder-worker', 'decoder-worker']) {
        expect(named(overlay, 'PodDisruptionBudget', name).spec).toMatchObject({
          unhealthyPodEvictionPolicy: 'AlwaysAllow',
          selector: { matchLabels: { 'app.kubernetes.io/component': name } },
        });
      }
    });
  });

  test('cpu and gpu differ in the encoder alone: its image, its GPU, its memory', () => {
    const differing = (rendered.get('gpu') ?? []).filter(
      (each) =>
        JSON.stringify(each) !== JSON.stringify(named('cpu', each.kind, each.metadata.name)),
    );
    expect(differing.map(({ metadata }) => metadata.name)).toEqual(['encoder-worker']);
    const [container] = differing[0]?.spec.template.spec.containers ?? [];
    expect(container.image).toBe(`registry.example.com/cutline-encoder-worker:${version}-gpu`);
    expect(container.resources.limits['nvidia.com/gpu']).toBe('1');
    const device = { name: settings.device.env, value: 'gpu' };
    expect(container.env).toContainEqual(device);
  });

  describe('keda', () => {
    const pools = ['encode', 'decode'] as const;

    test.each(pools)('scales the pool that does %s on what it has left', (stage) => {
      const { spec } = named('keda', 'ScaledObject', `${stage}r-worker`);
      expect(named('keda', 'Deployment', spec.scaleTargetRef.name).spec).not.toHaveProperty(
        'replicas',
      );
      expect(spec.minReplicaCount).toBe(0);
      expect(spec.fallback.behavior).toBe('currentReplicas');
      const [{ metadata, metricType }] = spec.triggers;
      expect(metricType).toBe('AverageValue'); // the value divided by the threshold
      expect(metadata.ignoreNullValues).toBe('false');
      const [, record, of] = /^([\w:]+)\{stage="(\w+)"\}$/.exec(metadata.query) ?? [];
      expect(of).toBe(stage);
      const rules = named('keda', 'PrometheusRule', 'cutline').spec.groups.flatMap(
        ({ rules }: { rules: object[] }) => rules,
      );
      expect(rules).toContainEqual(expect.objectContaining({ record, labels: { stage } }));
    });

    test('finds encoders with the two hands that the rules count with', () => {
      expect(settings.jobConcurrency.defaultShown).toMatch(/^2;/);
      const settingNames = Object.keys(
        rendered.get('keda')?.find(({ metadata }) => /^cutline-settings-/.test(metadata.name))
          ?.data ?? {},
      );
      expect(settingNames).not.toContain(settings.jobConcurrency.env);
    });
  });

  test('pods are scraped under the names that alerts and dashboards go by', () => {
    const { spec } = named('cpu', 'PodMonitor', 'cutline');
    const names = podsOf(rendered.get('cpu') ?? []).map(
      ([, { metadata }]) => metadata.labels[spec.jobLabel],
    );
    const { scrape_configs } = parse(readInfra('prometheus/prometheus.yml'));
    const jobs = scrape_configs.map(({ job_name }: { job_name: string }) => job_name);
    expect(jobs).toEqual(expect.arrayContaining(names));
  });

  test('the Redis of trials takes what compose’s has', () => {
    const { spec } = named('trial', 'StatefulSet', 'redis').spec.template;
    const [{ image, resources }] = spec.containers;
    const { redis } = readCompose('compose.yaml').services;
    expect(image).toBe(redis?.image);
    expect(bytesOf(resources.limits.memory)).toBe(
      bytesOf(`${redis?.deploy?.resources.limits?.memory}i`),
    );
    const config = rendered.get('trial')?.find(({ data }: Manifest) => data?.['redis.conf']);
    const maxmemory = Number(/^maxmemory (\d+)gb$/m.exec(config?.data?.['redis.conf'] ?? '')?.[1]);
    const features = Number(
      /^CUTLINE_FEATURE_BYTES_MAX=(\d+)$/m.exec(readInfra('kubernetes/base/settings.env'))?.[1],
    );
    expect(features * 2).toBe(maxmemory * 1024 ** 3);
  });
});

describe('cutline manifests', () => {
  const cutline = fileURLToPath(new URL('../apps/cutline/bin/cutline.js', import.meta.url));
  const manifests = (...args: string[]) => {
    const env = { PATH: process.env.PATH };
    const command = [cutline, 'manifests', ...args];
    return spawnSync(process.execPath, command, { encoding: 'utf8', env });
  };
  const output = ['--output', 's3://captions'];
  const { stdout, stderr, status } = manifests(
    ...[
      's3://archive/1920s/',
      '--run',
      '1920s',
      '--limit',
      '9',
      '--redis',
      'redis://a:b@c',
      ...output,
    ],
  );
  const [job] = readManifests(stdout);

  test('prints a Job that fits the schema, with the flags that a run was given, and no URL of Redis', async () => {
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/^cutline: --redis is left out: .*Secret cutline-redis.*\n$/),
    });
    expect(await schemaErrors(job ? [job] : [])).toEqual([]);
    expect(job?.metadata).toMatchObject({ name: 'producer-1920s', namespace: 'cutline' });
    const [{ args, image }] = job?.spec.template.spec.containers ?? [];
    expect(image).toBe(`cutline:${version}`);
    expect(args).toEqual([
      ...['producer', 's3://archive/1920s/', '--run=1920s', '--output=s3://captions', '--limit=9'],
      '--go-on',
    ]);
    expect(confinement(job?.spec.template.spec)).toEqual([]);
  });

  test('gives the run a name, under which another pod goes on with it', () => {
    const [unnamed] = readManifests(manifests('s3://archive/', ...output).stdout);
    const [{ args }] = unnamed?.spec.template.spec.containers ?? [];
    expect(args[2]).toMatch(/^--run=\d{8}-\d{6}$/);
    expect(unnamed?.metadata.name).toBe(`producer-${args[2].slice('--run='.length)}`);
  });

  test.each([
    [['./photos', ...output], 'The source is "./photos": a pod finds nothing of this machine'],
    [['s3://archive', '--output', 'out'], '--output is "out": a pod finds nothing of this machine'],
    [['s3://archive', ...output, '--keys-from', '-'], '--keys-from is "-": a pod finds nothing'],
    [['s3://archive', ...output, '--limit', '1', '--sample', '1'], 'Choose --limit'],
    [['s3://archive'], 'Say where results go'],
  ])('refuses %j', (args, said) => {
    const refused = manifests(...args);
    expect(refused).toMatchObject({ status: 2, stdout: '' });
    expect(refused.stderr).toMatch(/^cutline: .*\n$/);
    expect(refused.stderr).toContain(said);
  });

  test.skipIf(!isInstalled)(
    'its pod is confined as the others, and finds the same settings and secrets',
    () => {
      const base = render('cpu');
      const exporter = base.find(({ metadata }) => metadata.name === 'exporter');
      const { containers: ofExporter, ...spec } = exporter?.spec.template.spec ?? {};
      const { containers: ofJob, ...jobSpec } = job?.spec.template.spec ?? {};
      expect(jobSpec).toEqual({ ...spec, restartPolicy: 'Never' });
      const { securityContext, env, volumeMounts, ports, envFrom } = ofExporter[0];
      expect(ofJob[0]).toMatchObject({ securityContext, env, volumeMounts, ports });
      expect(ofJob[0].envFrom[1]).toEqual(envFrom[1]);
      const named = ofJob[0].envFrom[0].configMapRef.name;
      const data = (name: string) => base.find(({ metadata }) => metadata.name === name)?.data;
      expect(data(named)).toEqual(data(envFrom[0].configMapRef.name));
      // Policies and monitors go by it.
      expect(job?.spec.template.metadata.labels['app.kubernetes.io/part-of']).toBe('cutline');
    },
  );
});

describe.skipIf(!isInstalled)('docs/KUBERNETES.md', () => {
  const page = readFileSync(new URL('../docs/KUBERNETES.md', import.meta.url), 'utf8');
  const [example = ''] = /(?<=```yaml\n# kustomization\.yaml\n)[\s\S]*?(?=```)/.exec(page) ?? [];
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cutline-overlay-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('has an overlay that is as it says: images, settings, and what is scaled on', async () => {
    const here = relative(await realpath(folder), infraFile('kubernetes/overlays/keda'));
    const text = example.replace('../cutline/infra/kubernetes/overlays/keda', here);
    expect(text).not.toBe(example);
    await writeFile(join(folder, 'kustomization.yaml'), text);
    const manifests = renderFolder(folder);
    expect(await schemaErrors(manifests)).toEqual([]);
    for (const [name, { spec }] of podsOf(manifests)) {
      const [{ image, envFrom }] = spec.containers;
      expect(image, name).toMatch(/^registry\.mine\/cutline/);
      const of = manifests.find(({ metadata }) => metadata.name === envFrom[0].configMapRef.name);
      expect(of?.data, name).toMatchObject({ AWS_REGION: 'eu-central-1', CUTLINE_THREADS: '2' });
    }
    const producer = manifests.find(
      ({ metadata }) => metadata.name === 'cutline-producer-settings',
    );
    expect(producer?.data).toMatchObject({ AWS_REGION: 'eu-central-1' });
    const scaled = manifests.find(
      ({ kind, metadata }) => kind === 'ScaledObject' && metadata.name === 'encoder-worker',
    );
    expect(scaled?.spec.maxReplicaCount).toBe(40);
    expect(scaled?.spec.triggers[0].metadata.threshold).toBe('0.5');
  });

  test('tells of versions, tags and settings that there are', () => {
    for (const [, tag] of page.matchAll(/cutline[\w$-]*:(\d[\w.-]*)/g)) {
      expect([version, `${version}-gpu`]).toContain(tag);
    }
    const known = [...Object.values(settings).map(({ env }) => env as string)];
    for (const [name] of page.matchAll(/CUTLINE_\w+/g)) expect(known).toContain(name);
  });
});

test('what a pod may do beyond what Cutline needs is told, all of it', () => {
  const container = { name: 'x', image: 'cutline:latest', resources: { limits: {}, requests: {} } };
  const wild = {
    hostNetwork: true,
    securityContext: { runAsNonRoot: true, runAsUser: 0, seccompProfile: { type: 'Unconfined' } },
    containers: [
      { ...container, securityContext: { capabilities: { add: ['SYS_ADMIN'] } } },
      container,
    ],
    volumes: [{ name: 'socket', hostPath: { path: '/run/docker.sock' } }],
  };
  expect(confinement(wild)).toHaveLength(13);
});

/** What a pod may do beyond what Cutline needs, one line each. */
// biome-ignore lint/suspicious/noExplicitAny: the shape is the schemas' business
function confinement(spec: any): string[] {
  const [container, ...others] = spec.containers;
  const { image, resources, securityContext } = container;
  const rules: Record<string, boolean> = {
    'one container': others.length === 0 && !spec.initContainers,
    'an image of one version': /:v?\d+\.\d+\.\d+(-[\w.]+)?$/.test(image),
    'Cutline’s own images are of this version':
      !/(^|\/)cutline/.test(image) || image.split(':')[1].startsWith(version),
    'not root': spec.securityContext.runAsNonRoot === true && spec.securityContext.runAsUser >= 100,
    'system calls are filtered': spec.securityContext.seccompProfile.type === 'RuntimeDefault',
    'no more rights than its parent': securityContext.allowPrivilegeEscalation === false,
    'no capabilities': JSON.stringify(securityContext.capabilities) === '{"drop":["ALL"]}',
    'a root that is read-only': securityContext.readOnlyRootFilesystem === true,
    'no token of the API server': spec.automountServiceAccountToken === false,
    'limits of cores and memory': Boolean(resources.limits.cpu && resources.limits.memory),
    'requests of cores and memory': Boolean(resources.requests.cpu && resources.requests.memory),
    'folders of its own alone': spec.volumes.every(
      (volume: object) => 'emptyDir' in volume || 'configMap' in volume,
    ),
    'nothing of the machine’s': !(spec.hostNetwork || spec.hostPID || spec.hostIPC),
  };
  return Object.keys(rules).filter((rule) => !rules[rule]);
}
