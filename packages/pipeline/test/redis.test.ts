import { createServer, type Server } from 'node:net';
import { inspect } from 'node:util';
import { connectRedis, logOutages } from '@cutline/pipeline';
import type { Logger } from '@cutline/shared/process';
import { afterEach, describe, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../../../test/support/redis-server.ts';
import { waitFor } from '../../../test/support/wait-for.ts';

let server: RedisServer | undefined;
let other: Server | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
  other?.close();
  other = undefined;
});

/** A port on which something accepts connections and answers so. */
async function listen(answer?: string): Promise<number> {
  other = createServer((socket) => {
    if (answer !== undefined) socket.write(answer);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => other?.listen(0, '127.0.0.1', resolve));
  return (other.address() as { port: number }).port;
}

async function startWithPassword(): Promise<RedisServer> {
  const started = await startRedis();
  const redis = await connectRedis(started.url);
  await redis.config('SET', 'requirepass', 'secret');
  redis.disconnect();
  return started;
}

const mistake = (message: RegExp) =>
  expect.objectContaining({ name: 'UserError', message: expect.stringMatching(message) });

test('a Redis that is fit is connected to', async () => {
  server = await startRedis();
  const redis = await connectRedis(server.url);
  expect(await redis.ping()).toBe('PONG');
  redis.disconnect();
});

describe('at the start, one line says what is wrong and what to do', () => {
  test('nobody listens', async () => {
    const port = await listen();
    await new Promise((resolve) => other?.close(resolve));
    await expect(connectRedis(`redis://127.0.0.1:${port}`)).rejects.toThrow(
      mistake(
        /^Cannot reach Redis at redis:\/\/127\.0\.0\.1:\d+ \(.*ECONNREFUSED.*\): start it .* or correct --redis \(or REDIS_URL\)\.$/,
      ),
    );
  });

  test('nobody answers', async () => {
    const port = await listen();
    await expect(connectRedis(`redis://127.0.0.1:${port}`, { deadlineMs: 200 })).rejects.toThrow(
      mistake(/^Cannot reach Redis at .* \(no answer within 0\.2 s\): start it/),
    );
  });

  test('something else answers', async () => {
    const port = await listen('HTTP/1.1 400 Bad Request\r\n\r\n');
    await expect(connectRedis(`redis://127.0.0.1:${port}`)).rejects.toThrow(
      mistake(/does not speak as Redis does .*: correct --redis/),
    );
  });

  test('it wants a password', async () => {
    server = await startWithPassword();
    await expect(connectRedis(server.url)).rejects.toThrow(
      mistake(/wants a password: write it into --redis \(or REDIS_URL\), as redis:\/\/:password@/),
    );
  });

  test.each([[':wrong@'], ['user:wrong@']])(
    'it refuses the password, which is not repeated (%s)',
    async (credentials) => {
      server = await startWithPassword();
      const url = `redis://${credentials}127.0.0.1:${server.port}`;
      await expect(connectRedis(url)).rejects.toThrow(
        mistake(
          /^Redis at redis:\/\/\*\*\*@127\.0\.0\.1:\d+ refuses the user or the password: correct/,
        ),
      );
    },
  );

  test('it drops keys when memory runs short', async () => {
    server = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    await expect(connectRedis(server.url)).rejects.toThrow(
      mistake(/maxmemory-policy "allkeys-lru".*redis-cli config set maxmemory-policy noeviction/),
    );
  });

  test('it is the Redis for features, and the message says so', async () => {
    const port = await listen();
    await new Promise((resolve) => other?.close(resolve));
    const setting = '--features (or CUTLINE_FEATURES)';
    await expect(connectRedis(`redis://127.0.0.1:${port}`, { setting })).rejects.toThrow(
      mistake(/correct --features \(or CUTLINE_FEATURES\)\.$/),
    );
  });
});

test('the right password is accepted', async () => {
  server = await startWithPassword();
  const redis = await connectRedis(`redis://:secret@127.0.0.1:${server.port}`);
  expect(await redis.ping()).toBe('PONG');
  redis.disconnect();
});

test('later, an outage is sat out: commands wait, and it is told of once', async () => {
  server = await startRedis();
  const redis = await connectRedis(server.url);
  const told: string[] = [];
  const log = { warn: (...args: unknown[]) => void told.push(String(args.at(-1))) };
  logOutages(redis, log as unknown as Logger);
  await server.kill();
  const answer = redis.ping();
  await waitFor(() => told.length > 0, { deadlineMs: 10_000, what: 'the outage to be told of' });
  await server.restart();
  expect(await answer).toBe('PONG');
  await waitFor(() => told.length > 1, { deadlineMs: 10_000, what: 'its end to be told of' });
  expect(told).toEqual(['Redis is gone: waiting for it to come back', 'Redis is back']);
  redis.disconnect();
  await waitFor(() => redis.status === 'end', { deadlineMs: 10_000, what: 'the end' });
  expect(told).toHaveLength(2); // that was no outage
});

test.each(['redis://:p%zzw@h:1', 'redis://user:100%@h'])(
  'a URL that cannot be decoded is one line, without the password (%s)',
  async (url) => {
    const error = await connectRedis(url).catch((thrown: Error) => thrown);
    expect(error).toEqual(
      mistake(/^--redis \(or REDIS_URL\) is no URL of Redis: expected user, password/),
    );
    expect(inspect(error, { depth: 9 })).not.toMatch(/p%zzw|100%/);
  },
);
