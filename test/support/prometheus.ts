import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { startProcess, stopProcess } from './processes.ts';
import { waitFor } from './wait-for.ts';

/** A real Prometheus of a test's own ("apt-get install prometheus" on Debian and Ubuntu). */
export interface Prometheus {
  readonly url: string;
  /** The values that it answers. @throws Error with its reason where it refuses the query */
  ask(query: string): Promise<number[]>;
  /** The `data` of its HTTP API's answer. */
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asks for
  api(path: string): Promise<any>;
  /** A file beside its configuration. */
  write(name: string, text: string): Promise<void>;
  stop(): Promise<void>;
}

/** Whether it is installed; where it is not, says what is not tried. */
export function hasPrometheus(what: string): boolean {
  const isInstalled = spawnSync('prometheus', ['--version']).status === 0;
  if (!isInstalled) console.warn(`SKIPPED: prometheus is not on the PATH, so ${what}.`);
  return isInstalled;
}

/** @param config of prometheus.yml; @param files others beside it, by name */
export async function startPrometheus(
  config: object,
  files: Record<string, string> = {},
): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-prometheus-'));
  for (const [name, text] of Object.entries({ ...files, 'prometheus.yml': stringify(config) })) {
    await writeFile(join(folder, name), text);
  }
  const server = await startProcess({
    command: 'prometheus',
    args: [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'tsdb')}`,
      '--web.listen-address=127.0.0.1:0',
    ],
  });
  const [, address] = await server.waitForLine(/Listening on".* address=(\S+)/, 20_000);
  const url = `http://${address}`;
  await waitFor(async () => (await fetch(`${url}/-/ready`)).ok, {
    ...{ deadlineMs: 20_000, what: 'Prometheus to be ready' },
  });
  const api: Prometheus['api'] = async (path) => {
    const answer = (await (await fetch(`${url}/api/v1/${path}`)).json()) as {
      status: string;
      error?: string;
      data: unknown;
    };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  };
  return {
    url,
    api,
    async ask(query) {
      const { result } = await api(`query?${new URLSearchParams({ query })}`);
      return result.map(({ value }: { value: [number, string] }) => Number(value[1]));
    },
    write: (name, text) => writeFile(join(folder, name), text),
    async stop() {
      await stopProcess(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
