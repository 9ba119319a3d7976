import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileLock } from '../dist/caption/file-lock.js';

/** One process at a time writes a file of rows, and a dead one holds nobody up. */

let folder: string;
let file: string;
let other: ChildProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-lock-'));
  file = join(folder, 'captions.jsonl');
  other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(other, 'spawn');
});
afterEach(async () => {
  if (other.exitCode === null && other.signalCode === null) {
    other.kill('SIGKILL');
    await once(other, 'exit');
  }
  await rm(folder, { recursive: true });
});

const lockPath = () => join(folder, 'captions.jsonl.cutline', '.lock');

/** As if another process had taken it. */
async function change(holder: object): Promise<void> {
  const lock = JSON.parse(await readFile(lockPath(), 'utf8'));
  await writeFile(lockPath(), JSON.stringify({ ...lock, token: 'another', ...holder }));
}

test('a lock is taken, and given back without a trace', async () => {
  const lock = await FileLock.take(file);
  expect(existsSync(lockPath())).toBe(true);
  await lock.release();
  expect(existsSync(join(folder, 'captions.jsonl.cutline'))).toBe(false);
});

test('a living process holds it, a dead one does not', async () => {
  const lock = await FileLock.take(file);
  await change({ pid: other.pid, began: '' });
  await expect(FileLock.take(file)).rejects.toThrow(
    `${file} is being written by another "cutline caption" (process ${other.pid}, since `,
  );
  await lock.release(); // of what is another's by now, nothing goes
  expect(existsSync(lockPath())).toBe(true);
  other.kill('SIGKILL');
  await once(other, 'exit');
  await (await FileLock.take(file)).release();
  expect(existsSync(lockPath())).toBe(false);
});

test.skipIf(!existsSync('/proc/self/stat'))(
  'a process that was given the number of a dead one does not hold it',
  async () => {
    await FileLock.take(file);
    await change({ pid: other.pid, began: '1' });
    await (await FileLock.take(file)).release();
  },
);

test('of another machine it cannot be known, and it is said what to do', async () => {
  await FileLock.take(file);
  await change({ host: 'elsewhere' });
  await expect(FileLock.take(file)).rejects.toThrow(
    `on elsewhere, since ${new Date().toISOString().slice(0, 4)}`,
  );
  await expect(FileLock.take(file)).rejects.toThrow(
    `let it end, or remove ${lockPath()} if that one is no more, or choose another file.`,
  );
});

/** Takes it again and again, and says what it should never see. */
const contender = (path: string) => `
import { closeSync, openSync, unlinkSync } from 'node:fs';
import { FileLock } from ${JSON.stringify(new URL('../dist/caption/file-lock.js', import.meta.url))};
const until = Date.now() + 500;
let taken = 0;
while (Date.now() < until) {
  try {
    const lock = await FileLock.take(${JSON.stringify(path)});
    closeSync(openSync(${JSON.stringify(`${path}.inside`)}, 'wx')); // another is inside, where it is there
    unlinkSync(${JSON.stringify(`${path}.inside`)});
    taken += 1;
    await lock.release();
  } catch (error) {
    if (!String(error).includes('is being written by')) console.log(String(error));
  }
}
console.log(taken > 0);`;

test('of processes that want it at the same time, one has it, and nothing else is wrong', async () => {
  const said = await Promise.all(
    Array.from({ length: 2 }, async () => {
      const args = ['--input-type=module', '-e', contender(file)];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      return stdout;
    }),
  );
  expect(said).toEqual(['true\n', 'true\n']);
});

test('one that was only begun is not taken for that of a living process', async () => {
  await FileLock.take(file);
  await writeFile(lockPath(), '{"token":');
  await (await FileLock.take(file)).release();
});
