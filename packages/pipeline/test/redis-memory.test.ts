import { connectRedis, fitBudget, mustHoldBack, redisMemory } from '@cutline/pipeline';
import { expect, test } from 'vitest';
import { startRedis } from '../../../test/support/redis-server.ts';

test('Redis says how much memory it uses and may use', async () => {
  const server = await startRedis();
  const redis = await connectRedis(server.url);
  try {
    const before = await redisMemory(redis);
    expect(before.limitBytes).toBe(Number.POSITIVE_INFINITY);
    await redis.config('SET', 'maxmemory', '200mb');
    await redis.set('cutline:large', Buffer.alloc(8_000_000));
    const after = await redisMemory(redis);
    expect(after.limitBytes).toBe(200 * 1024 * 1024);
    expect(after.usedBytes - before.usedBytes).toBeGreaterThan(8_000_000);
  } finally {
    redis.disconnect();
    await server.stop();
  }
});

test.each([
  [100, Number.POSITIVE_INFINITY, { budgetBytes: 100, lowered: false }],
  [100, 200, { budgetBytes: 100, lowered: false }],
  [100, 199, { budgetBytes: 99, lowered: true }],
  [100, 20, { budgetBytes: 10, lowered: true }],
])('a budget of %i bytes with maxmemory %d', (asked, limit, fitted) => {
  expect(fitBudget(asked, limit)).toEqual(fitted);
});

const free = {
  bytesInFlight: 10,
  budgetBytes: 100,
  usedBytes: 100,
  limitBytes: 1000,
  holding: false,
};
const held = { ...free, holding: true };

test.each([
  ['little in flight', free, false],
  ['the budget not quite spent', { ...free, bytesInFlight: 99 }, false],
  ['the budget spent', { ...free, bytesInFlight: 100 }, true],
  ['held, still above three quarters of the budget', { ...held, bytesInFlight: 76 }, true],
  ['held, at three quarters of the budget', { ...held, bytesInFlight: 75 }, false],
  ['memory not quite at four fifths', { ...free, usedBytes: 799 }, false],
  ['memory at four fifths', { ...free, usedBytes: 800 }, true],
  ['held, memory still above seven tenths', { ...held, usedBytes: 701 }, true],
  ['held, memory at seven tenths', { ...held, usedBytes: 700 }, false],
  ['held, both low', { ...held, bytesInFlight: 75, usedBytes: 700 }, false],
  ['held, memory low, the budget not', { ...held, bytesInFlight: 80, usedBytes: 100 }, true],
  ['memory full of something else', { ...held, bytesInFlight: 0, usedBytes: 990 }, false],
  ['memory without a limit', { ...free, usedBytes: 1e12, limitBytes: Infinity }, false],
])('an encoder holds back: %s', (_, pressure, expected) => {
  expect(mustHoldBack(pressure)).toBe(expected);
});
