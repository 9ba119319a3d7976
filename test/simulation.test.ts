import { expect, test } from 'vitest';
import { simulateInThreads } from './simulation/dist/simulate.js';
import { simulateRound } from './simulation/dist/simulate-round.js';

/**
 * The pipeline in the simulator: the real code of producers and workers under faults drawn from a
 * seed. What a seed shows can be played again: npm run simulate -- --seed N --rounds 1
 */
const rounds = 3_000;

test(`${rounds} rounds lose nothing, double nothing, and end`, { timeout: 600_000 }, async () => {
  const { failed, rounds: played } = await simulateInThreads(1, rounds, () => {});
  expect(played).toBe(rounds);
  expect(failed.map(({ seed, violations }) => ({ seed, violations }))).toEqual([]);
});

test('what a seed shows is shown again', { timeout: 60_000 }, async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const [one, other] = [await simulateRound(seed), await simulateRound(seed)];
    expect(other, `seed ${seed}`).toEqual(one);
  }
});
