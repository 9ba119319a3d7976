import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Process, startProcess } from './support/processes.ts';
import { runInProcess } from './support/run-in-process.ts';
import { sampleImages } from './support/sample-images.ts';
import { writeTinyBundle } from './support/tiny-bundle.ts';
import { waitFor } from './support/wait-for.ts';

/**
 * What `npm run demo` leaves when it is interrupted: with a model that is quick to load, and so many
 * images that it is not done before. `npm test` runs it as it is, to its end.
 */

let folder: string;
let photos: string;
let model: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-demo-'));
  photos = join(folder, 'photos');
  await mkdir(photos);
  for (const [key, bytes] of await sampleImages(320)) {
    await writeFile(join(photos, key), bytes);
    for (let copy = 1; copy < copies; copy++) {
      await link(join(photos, key), join(photos, `${copy}-${key}`));
    }
  }
  model = await writeTinyBundle(join(folder, 'model'));
});
const copies = 8;

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('interrupted in the middle of captioning', { timeout: 180_000 }, () => {
  test.each([
    { name: 'Ctrl-C, twice', signals: ['SIGINT', 'SIGINT'], toGroup: true, status: 130 },
    { name: 'a closed terminal', signals: ['SIGHUP'], toGroup: true, status: 129 },
    { name: 'SIGTERM to it alone', signals: ['SIGTERM'], toGroup: false, status: 143 },
  ] as const)('$name: no process lives, and captions stay', async (how) => {
    const output = join(folder, how.name);
    const demo = await startDemo(output);
    const firstPart = join(output, 'runs/demo/parts/000000.jsonl');
    await waitFor(() => existsSync(firstPart), { deadlineMs: 120_000, what: 'the first captions' });
    const descendants = descendantsOf(demo.pid);
    expect(descendants.length).toBeGreaterThanOrEqual(4); // Redis, two workers, `cutline run`
    for (const signal of how.signals) process.kill(how.toGroup ? -demo.pid : demo.pid, signal);

    expect(await demo.exited).toEqual({ code: how.status, signal: null });
    expect(descendants.filter(isAlive)).toEqual([]);
    expect(isAlive(-demo.pid), 'anything of its process group').toBe(false);
    expect(existsSync(join(output, 'runs/demo/summary.json')), 'it had ended by itself').toBe(
      false,
    );

    const said = /^Stopped\. The (\d+) captions so far: (.*)$/.exec(demo.stdout.at(-2) ?? '');
    expect(Number(said?.[1])).toBeGreaterThanOrEqual(64);
    expect(demo.stdout.at(-1)).toMatch(/^Read them: {2}npx cutline results demo --output .+/);
    const rows = await readResults(output);
    expect(rows.filter(({ status }) => status === 'captioned')).toHaveLength(Number(said?.[1]));
  });
});

/** As `npm run demo -- photos` does, in a process group of its own as of a terminal's. */
function startDemo(output: string): Promise<Process> {
  const script = (name: string) =>
    JSON.stringify(pathToFileURL(fileURLToPath(new URL(`../scripts/${name}`, import.meta.url))));
  const program = `
    import { endOnSignals } from ${script('interruption.mjs')};
    import { main } from ${script('demo.mjs')};
    endOnSignals();
    process.exitCode = await main([${JSON.stringify(photos)}], ${JSON.stringify(output)});`;
  return startProcess({
    command: process.execPath,
    args: ['--input-type=module', '-e', program],
    env: { REDIS_URL: undefined, CUTLINE_MODEL: model },
  });
}

async function readResults(output: string): Promise<{ status: string }[]> {
  const { code, stdout } = await runInProcess(
    ['results', 'demo', '--output', output, '--json'],
    {},
  );
  expect(code).toBe(0);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function descendantsOf(pid: number): number[] {
  const pairs = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  const children = (parent: number): number[] =>
    pairs.flatMap(([child, of]) => (of === parent ? [child, ...children(child)] : []));
  return children(pid);
}

/** @param pid of a process; negative: of a group */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
