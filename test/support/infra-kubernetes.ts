import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

/** Manifests as `kubectl apply` gets them, and what holds them to Kubernetes' published schemas. */

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it looks at
  spec?: any;
  data?: Record<string, string>;
}

/** Whether there is a kubectl whose kustomize reads `labels` (5); where not, that is said loudly. */
export function kubectlInstalled(): boolean {
  const { stdout } = spawnSync('kubectl', ['version', '--client', '--output', 'json'], {
    encoding: 'utf8',
  });
  const found = Number(/"kustomizeVersion": "v(\d+)\./.exec(stdout ?? '')?.[1] ?? 0) >= 5;
  if (!found) {
    console.warn(
      'SKIPPED: no kubectl of 1.27 or newer is on the PATH, so the overlays of Kubernetes are not tried.',
    );
  }
  return found;
}

/** What an overlay comes to. @throws Error with what kubectl says of it */
export function render(overlay: string): Manifest[] {
  return renderFolder(join(root, 'infra/kubernetes/overlays', overlay));
}

/** The same of any folder with a kustomization.yaml. */
export function renderFolder(folder: string): Manifest[] {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder], {
    encoding: 'utf8',
    maxBuffer: 16 * 1024 ** 2,
  });
  // What kustomize will not read for ever, it warns of.
  if (status !== 0 || stderr !== '') throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
  return readManifests(stdout);
}

export function readManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS());
}

/** Packages that are made from the schemas that Kubernetes, KEDA and Prometheus Operator publish. */
function packageOf(apiVersion: string): string {
  if (apiVersion.startsWith('keda.sh/')) return `@kubernetes-models/keda/${apiVersion}`;
  if (apiVersion.startsWith('monitoring.coreos.com/')) {
    return `@kubernetes-models/prometheus-operator/${apiVersion}`;
  }
  return `kubernetes-models/${apiVersion}`;
}

/**
 * What is wrong with manifests, one line each: values by the schemas, and names of fields by the
 * types that are made of them, since the schemas let unknown fields pass.
 */
export async function schemaErrors(manifests: readonly Manifest[]): Promise<string[]> {
  const errors: string[] = [];
  for (const manifest of manifests) {
    const { apiVersion, kind, metadata } = manifest;
    const models = await import(packageOf(apiVersion));
    try {
      new models[kind](manifest).validate();
    } catch (error) {
      errors.push(`${kind} ${metadata.name}: ${(error as Error).message}`);
    }
  }
  return [...errors, ...unknownFields(manifests)];
}

function unknownFields(manifests: readonly Manifest[]): string[] {
  const folder = mkdtempSync(join(root, 'node_modules/.manifests-')); // where imports are resolved
  try {
    const lines = manifests.map((manifest, index) => {
      const { apiVersion, kind } = manifest;
      const type = `import('${packageOf(apiVersion)}').I${kind}`;
      return `export const m${index}: ${type} = ${JSON.stringify(manifest)};`;
    });
    writeFileSync(join(folder, 'manifests.ts'), lines.join('\n'));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout, status, error } = spawnSync(
      process.execPath,
      // biome-ignore format: a flag and its value
      [
        tsc, '--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--pretty', 'false',
        '--module', 'nodenext', '--target', 'es2022', '--types', '', join(folder, 'manifests.ts'),
      ],
      { encoding: 'utf8' },
    );
    if (error) throw error;
    if (status === 0) return [];
    return stdout
      .trim()
      .split('\n')
      .map((line) => {
        const at = /manifests\.ts\((\d+),/.exec(line)?.[1];
        const manifest = at === undefined ? undefined : manifests[Number(at) - 1];
        const what = manifest ? `${manifest.kind} ${manifest.metadata.name}: ` : '';
        return what + line.replace(/^.*?: error TS\d+: /, '');
      });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export interface PodTemplate {
  metadata: { labels: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: as above
  spec: any;
}

/** The pods that manifests make, by the name of what makes them. */
export function podsOf(manifests: readonly Manifest[]): [string, PodTemplate][] {
  return manifests
    .filter(({ spec }) => spec?.template?.spec?.containers)
    .map(({ kind, metadata, spec }) => [`${kind} ${metadata.name}`, spec.template]);
}

/** A quantity of memory in bytes. */
export function bytesOf(quantity: string): number {
  const [, amount, unit] = /^(\d+)(Mi|Gi)$/.exec(quantity) ?? [];
  if (amount === undefined) throw new Error(`${quantity} is no quantity in Mi or Gi`);
  return Number(amount) * (unit === 'Gi' ? 1024 ** 3 : 1024 ** 2);
}
