import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { photographs } from '../../scripts/photographs.mjs';
import { type Process, startProcess, stopProcess } from './processes.ts';
import { type RedisServer, startRedis } from './redis-server.ts';
import { waitFor } from './wait-for.ts';

/**
 * What the other tests rely on without looking. The S3 server and the fault proxy are held by the
 * tests of the object stores.
 */
describe('processes', () => {
  let child: Process | undefined;
  afterEach(() => child && stopProcess(child, 0));
  const node = (script: string, env = {}) =>
    startProcess({ command: process.execPath, args: ['--eval', script], env });

  test('collects lines, environment and exit status', async () => {
    child = await node(
      'console.log(process.env.WORD); console.error("é\\nx"); process.exitCode = 3',
      {
        WORD: 'yes',
      },
    );
    expect(await child.exited).toEqual({ code: 3, signal: null });
    expect(child).toMatchObject({ stdout: ['yes'], stderr: ['é', 'x'] });
  });

  test('waits for a line that is there, or comes later, on either stream', async () => {
    child = await node('console.log("a 1"); setTimeout(() => console.error("b 2"), 100)');
    expect((await child.waitForLine(/b (\d)/, 5_000))[1]).toBe('2');
    expect((await child.waitForLine(/a (\d)/, 5_000))[1]).toBe('1');
  });

  test('does not wait for a line of a process that has ended, and shows what it said', async () => {
    child = await node('console.error("no such bucket"); process.exit(1)');
    await expect(child.waitForLine(/ready/, 60_000)).rejects.toThrow(
      /before the process ended \(1\).*no such bucket/s,
    );
  });

  test('gives up at the deadline', async () => {
    child = await node('setInterval(() => {}, 1000)');
    await expect(child.waitForLine(/ready/, 50)).rejects.toThrow('No line /ready/ in 50 ms');
  });

  test('stops one that ignores SIGTERM, or is paused', async () => {
    child = await node(
      'process.on("SIGTERM", () => {}); console.log("on"); setInterval(() => {}, 1000)',
    );
    await child.waitForLine(/on/, 5_000);
    child.kill('SIGSTOP');
    await stopProcess(child, 100);
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('a command that does not exist is ENOENT', async () => {
    await expect(startProcess({ command: 'no-such-command' })).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});

describe('Redis', () => {
  let redis: RedisServer | undefined;
  afterEach(() => redis?.stop());

  test('is private, empty and without eviction; extra arguments win', async () => {
    redis = await startRedis();
    expect(await ask(redis, 'CONFIG GET maxmemory-policy')).toContain('noeviction');
    expect(await ask(redis, 'CONFIG GET save')).not.toMatch(/\d{3,}/);
    expect(redis.url).toBe(`redis://127.0.0.1:${redis.port}`);
    const other = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    expect(await ask(other, 'CONFIG GET maxmemory-policy')).toContain('allkeys-lru');
    await other.stop();
  });

  test('can be paused, killed and started again, and leaves nothing', async () => {
    redis = await startRedis();
    const server = redis;
    const [folder = ''] = /\S*cutline-redis-\S+/.exec(await ask(server, 'CONFIG GET dir')) ?? [];
    expect(existsSync(folder)).toBe(true);
    await ask(server, 'SET key value');
    server.pause();
    await expect(ask(server, 'PING')).rejects.toThrow('no answer');
    server.resume();
    expect(await ask(server, 'GET key')).toContain('value');
    await server.kill();
    await expect(ask(server, 'PING')).rejects.toThrow('ECONNREFUSED');
    await server.restart();
    expect(await ask(server, 'GET key')).toContain('$-1');
    await server.stop();
    await expect(ask(server, 'PING')).rejects.toThrow('ECONNREFUSED');
    expect(existsSync(folder)).toBe(false);
    redis = undefined;
  });

  test('where there is none, says what to install', async () => {
    const path = process.env.PATH;
    process.env.PATH = '/nowhere';
    try {
      await expect(startRedis()).rejects.toThrow('apt-get install redis-server');
    } finally {
      process.env.PATH = path;
    }
  });
});

describe('waitFor', () => {
  test('returns what the condition does, once it holds', async () => {
    let asked = 0;
    const condition = () => {
      asked += 1;
      if (asked === 1) throw new Error('not yet');
      return asked < 3 ? undefined : 'there';
    };
    expect(await waitFor(condition, { deadlineMs: 5_000, what: 'it' })).toBe('there');
  });

  test('names what did not come, with the last reason', async () => {
    const condition = () => {
      throw new Error('refused');
    };
    await expect(waitFor(condition, { deadlineMs: 30, what: 'the server' })).rejects.toMatchObject({
      message: 'Waited 30 ms in vain for the server',
      cause: { message: 'refused' },
    });
  });
});

test('the photographs are where their packages put them', () => {
  expect(photographs()).toHaveLength(9);
  expect(photographs().filter(({ path }) => !existsSync(path))).toEqual([]);
});

/** One command and what comes back within half a second. */
function ask({ port }: RedisServer, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 500 });
    socket.once('connect', () => socket.write(`${command}\r\n`));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.once('error', reject);
    socket.once('timeout', () => {
      socket.destroy();
      reject(new Error('no answer'));
    });
  });
}
