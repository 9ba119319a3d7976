import { expect, test } from 'vitest';
import { playRounds } from './faults/play-rounds.ts';

/**
 * Real processes under real faults, for a few seeds. More of them: npm run faults -- --rounds 50.
 * What a seed shows can be played again: npm run faults -- --seed N --rounds 1 --verbose
 */
const seeds = [207, 208];

test('rounds of faults lose nothing, double nothing, and end', { timeout: 400_000 }, async () => {
  const rounds = await playRounds(seeds, {
    onRound: () => {},
    onSkipped: (why) => console.warn(`LEFT OUT, on this machine: ${why}`),
  });
  expect(rounds.map(({ seed }) => seed)).toEqual(seeds);
  const bad = rounds.filter(({ violations }) => violations.length > 0);
  expect(bad.map(({ seed, violations, trace }) => ({ seed, violations, trace }))).toEqual([]);
  expect(rounds.flatMap(({ faults }) => faults)).not.toEqual([]);
});
