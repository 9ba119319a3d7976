import { UserError } from '@cutline/shared/errors';
import { Closers } from '@cutline/shared/process';
import { afterEach, describe, expect, test } from 'vitest';
import { type Process, startProcess, stopProcess } from '../../../test/support/processes.ts';

/** How processes end, with real ones. */

let running: Process | undefined;

afterEach(async () => {
  if (running) await stopProcess(running, 0);
});

const deadlineMs = 60_000;

/** Starts Node.js with a program that has everything of the package at hand. */
async function start(body: string): Promise<Process> {
  const program = `${imports}\n${body}`;
  running = await startProcess({
    command: process.execPath,
    args: ['--input-type=module', '--eval', program],
    cwd: import.meta.dirname,
  });
  return running;
}
const imports = [
  "import { Closers, createLogger, runProgram, runService, stopProcess, untilStopped } from '@cutline/shared/process';",
  "import { UserError } from '@cutline/shared/errors';",
  "import { StoreError } from '@cutline/shared/stores';",
].join('\n');

async function run(body: string) {
  const { exited, stdout, stderr } = await start(body);
  return { ...(await exited), stdout, stderr };
}

describe('a program that fails', () => {
  test.each([
    ["new UserError('Choose one.', { cause: new Error('ENOENT') })", 2, 'prog: Choose one.'],
    ["new StoreError('misconfigured', 'There is no bucket.')", 2, 'prog: There is no bucket.'],
    ["new StoreError('unavailable', 'S3 is down.')", 2, 'prog: S3 is down.'],
    ["new StoreError('access-denied', 'Grant s3:GetObject.')", 2, 'prog: Grant s3:GetObject.'],
  ])('%s: status %i and one line', async (error, code, line) => {
    const ended = await run(`await runProgram('prog', async () => { throw ${error}; });`);
    expect(ended).toMatchObject({ code, stderr: [line], stdout: [] });
  });

  test('by a bug: status 1 and the stack trace that a report needs', async () => {
    const { code, stderr } = await run(
      `await runProgram('prog', async () => {
        try { undefined.nothing(); } catch (cause) { throw new Error('odd', { cause }); }
      });`,
    );
    expect(code).toBe(1);
    expect(stderr[0]).toBe('prog: Error: odd');
    expect(stderr.join('\n')).toMatch(/\n +at .*\n.*\[cause\]: TypeError: .*\n +at /s);
  });

  test('ends, whatever it has left open', async () => {
    const { code } = await run(`
      setInterval(() => {}, 1000);
      await runProgram('prog', async () => { throw new UserError('no'); });`);
    expect(code).toBe(2);
  });
});

describe('a service that fails at its start', () => {
  const log = (stderr: readonly string[]) => stderr.map((line) => JSON.parse(line));

  test.each([
    ["await runService('prog', async () => { throw new UserError('Choose one.'); });", 2],
    ["await runService('prog', async () => { throw new StoreError('unavailable', 'Down.'); });", 2],
    ["await runService('prog', async () => { throw new Error('odd'); });", 1],
    ["void runService('prog', () => new Promise(() => {})); setTimeout(nothing, 1);", 1],
  ])('%s: status %i, and a line of its log', async (body, status) => {
    const { code, stderr, stdout } = await run(body);
    expect({ code, stdout }).toEqual({ code: status, stdout: [] });
    const [event, ...others] = log(stderr);
    expect(others).toEqual([]);
    expect(event).toMatchObject({ level: 'fatal', process: 'prog', msg: expect.any(String) });
    if (status === 1) expect(event.err.stack).toMatch(/Error: .*\n +at /);
    else expect(event.msg).toMatch(/^(Choose one|Down)\.$/);
  });
});

/** Stops as workers do: closes what was opened, in this long at most. */
const service = (close: string, deadlineMs: number) => `
  const log = createLogger({ process: 'prog', level: 'info' });
  const { stopped, fail, recycle } = untilStopped();
  const closers = new Closers();
  closers.add('first', () => console.log('first closed'));
  closers.add('second', ${close});
  setTimeout(() => {}, 1e9);
  console.log('up');
  await stopProcess(await stopped, { closers, deadlineMs: ${deadlineMs}, log });`;

describe('a service', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('stops in good order on %s', async (signal) => {
    const prog = await start(service("() => console.log('second closed')", 10_000));
    await prog.waitForLine(/^up$/, deadlineMs);
    prog.kill(signal);
    expect(await prog.exited).toEqual({ code: 0, signal: null });
    expect(prog.stdout).toEqual(['up', 'second closed', 'first closed']);
    const events = prog.stderr.map((line) => JSON.parse(line));
    expect(events.map(({ msg }) => msg)).toEqual(['stopping', 'stopped']);
    expect(events[0]).toMatchObject({ process: 'prog', signal });
  });

  test('takes a signal that comes twice at once for one', async () => {
    const close = `() => new Promise((resolve) => setTimeout(resolve, 300))`;
    const prog = await start(service(close, 10_000));
    await prog.waitForLine(/^up$/, deadlineMs);
    prog.kill('SIGINT');
    prog.kill('SIGTERM');
    expect(await prog.exited).toMatchObject({ code: 0 });
  });

  test('ends at once on a second signal', async () => {
    const prog = await start(service('() => new Promise(() => {})', 600_000));
    await prog.waitForLine(/^up$/, deadlineMs);
    prog.kill('SIGINT');
    await prog.waitForLine(/stopping/, deadlineMs);
    const timer = setInterval(() => prog.kill('SIGINT'), 200);
    expect(await prog.exited).toMatchObject({ code: 1 });
    clearInterval(timer);
  });

  test('leaves what does not close by the deadline', async () => {
    const prog = await start(service('() => new Promise(() => {})', 200));
    await prog.waitForLine(/^up$/, deadlineMs);
    prog.kill('SIGTERM');
    expect(await prog.exited).toMatchObject({ code: 1 });
    expect(prog.stderr.at(-1)).toContain('not finished by the deadline');
  });

  test.each([
    ["new UserError('Wrong model.')", 2, 'Wrong model.'],
    ["new Error('impossible')", 1, 'stopping on a broken invariant'],
  ])('that fails with %s ends with status %i, in good order', async (error, code, msg) => {
    const prog = await start(
      service("() => console.log('second closed')", 10_000).replace(
        "console.log('up');",
        `fail(${error});`,
      ),
    );
    expect(await prog.exited).toMatchObject({ code });
    expect(JSON.parse(prog.stderr[0] ?? '')).toMatchObject({ level: 'fatal', msg });
    expect(prog.stdout).toEqual(['second closed', 'first closed']);
  });
});

test('a service that recycles itself says why and ends with status 0, in good order', async () => {
  const prog = await start(
    service("() => console.log('second closed')", 10_000).replace(
      "console.log('up');",
      'recycle({ residentBytes: 300, memoryBytesMax: 200 });',
    ),
  );
  expect(await prog.exited).toEqual({ code: 0, signal: null });
  expect(prog.stdout).toEqual(['second closed', 'first closed']);
  expect(prog.stderr.map((line) => JSON.parse(line))).toMatchObject([
    {
      ...{ level: 'warn', msg: 'recycling: memory is above the ceiling' },
      ...{ residentBytes: 300, memoryBytesMax: 200 },
    },
    { msg: 'stopped' },
  ]);
});

describe('closers', () => {
  test('run newest first, once, whatever each of them does', async () => {
    const closed: string[] = [];
    const closers = new Closers();
    closers.add('a', () => closed.push('a'));
    closers.add('b', () => Promise.reject(new UserError('b cannot')));
    closers.add('c', () => {
      throw new Error('c cannot');
    });
    closers.add('d', async () => closed.push('d'));
    await closers.closeAll();
    await closers.closeAll();
    expect(closed).toEqual(['d', 'a']);
  });
});
