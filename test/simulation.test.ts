import { expect, test } from 'vitest';
import { simulateInThreads } from './simulation/dist/simulate.js';

/**
 * The pipeline in the simulator: the real code of producers and workers under faults drawn from a
 * seed. What a seed shows can be played again: npm run simulate -- --seed N --rounds 1
 */
const rounds = 300;

test(`${rounds} rounds lose nothing, double nothing, and end`, { timeout: 300_000 }, async () => {
  const { failed, rounds: played } = await simulateInThreads(1, rounds, () => {});
  expect(played).toBe(rounds);
  expect(failed.map(({ seed, violations }) => ({ seed, violations }))).toEqual([]);
});
