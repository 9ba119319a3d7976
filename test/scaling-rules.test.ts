import { createRandom } from '@cutline/captioner';
import { describe, expect, test } from 'vitest';
import { always, byDrainTime, byWorkLeft, shippedRules } from '../bench/scaling/rules.mjs';
import { type Machines, play, type Workload } from '../bench/scaling/simulate.mjs';

/** The rules that pools are scaled by, as they ship, played in days that never were. */

const calm: Machines = { startSeconds: 40, crashesPerHour: 0, lossesPerHour: 0, lockSeconds: 30 };
const hour = 3600;

/** Twelve worker-hours of encoding, six of decoding. */
const burst: Workload = {
  arrivals: [{ atSeconds: hour, images: 432_000 }],
  ...{ days: 0.5, secondsPerImage: { encode: 0.1, decode: 0.05 }, batchSize: 64 },
  windowImages: 256 * 64,
};

const rules = await shippedRules();
const playBy = (scale: typeof byDrainTime, workload = burst, machines = calm) =>
  play(workload, machines, { encode: scale(rules), decode: scale(rules) }, createRandom(7));

describe('the rules that ship', () => {
  test('are done within the time they are given, and what it takes to begin', () => {
    const { runs, most, images } = playBy(byDrainTime);
    expect(images).toBe(432_000);
    expect(runs).toHaveLength(1);
    const [{ arrivedAt = 0, doneAt = 0 } = {}] = runs;
    expect(doneAt - arrivedAt).toBeLessThan(1.25 * rules.drainSeconds);
    expect(most).toEqual({ encode: 12, decode: 6 });
  });

  test('leave nobody behind when all is done', () => {
    const { moments, workerHours, usefulHours } = playBy(byDrainTime);
    expect(moments.at(-1)?.workers).toEqual({ encode: 0, decode: 0 });
    expect(usefulHours).toBeCloseTo(18, 3);
    expect(usefulHours / workerHours).toBeGreaterThan(0.75);
  });

  test('never exceed their bound, and get done all the same', () => {
    const large = { ...burst, arrivals: [{ atSeconds: 0, images: 4_320_000 }] };
    const { most, images } = playBy(byDrainTime, large);
    expect(most.encode).toBe(rules.max);
    expect(images).toBe(4_320_000);
  });

  test('lose nothing to crashes and to machines that are taken away', () => {
    const rough = { ...calm, crashesPerHour: 2, lossesPerHour: 2 };
    const { images, crashes, losses, workerHours } = playBy(byDrainTime, burst, rough);
    expect(images).toBe(432_000);
    expect(Math.min(crashes, losses)).toBeGreaterThan(10);
    expect(workerHours).toBeGreaterThan(playBy(byDrainTime).workerHours);
  });

  test('are what they are for a reason: of what is left alone, a pool shrinks as it works', () => {
    const [by, left] = [playBy(byDrainTime), playBy(byWorkLeft)];
    const took = ({ runs }: typeof by) => (runs[0]?.doneAt ?? Infinity) - (runs[0]?.arrivedAt ?? 0);
    expect(took(left)).toBeGreaterThan(1.8 * took(by));
  });
});

describe('a run with a deadline', () => {
  const dated = (hours: number): Workload => ({
    ...burst,
    arrivals: [{ ...burst.arrivals[0]!, deadlineSeconds: hour + hours * hour }],
  });

  test.each([0.75, 2, 6])('is done before it, and not much sooner: %s h', (hours) => {
    const { runs, moments, workerHours } = playBy(byDrainTime, dated(hours));
    const [{ arrivedAt = 0, doneAt = 0 } = {}] = runs;
    expect(doneAt - arrivedAt).toBeLessThan(hours * hour);
    expect(doneAt - arrivedAt).toBeGreaterThan(0.65 * hours * hour);
    expect(moments.at(-1)?.workers).toEqual({ encode: 0, decode: 0 });
    expect(workerHours).toBeLessThan(18 * 1.3);
  });

  test('has the fewer workers the more time it has', () => {
    expect(playBy(byDrainTime, dated(2)).most).toEqual({ encode: 8, decode: 4 });
    expect(playBy(byDrainTime, dated(6)).most).toEqual({ encode: 3, decode: 2 });
  });

  test('is done in time through crashes, and beside runs without one', () => {
    const rough = { ...calm, crashesPerHour: 2, lossesPerHour: 2 };
    const [run] = dated(4).arrivals;
    const beside = { atSeconds: 2 * hour, images: 100_000 };
    const { runs } = playBy(byDrainTime, { ...burst, arrivals: [run!, beside] }, rough);
    expect(runs).toHaveLength(2);
    expect(runs[0]?.doneAt).toBeLessThan(run?.deadlineSeconds ?? 0);
  });

  test('that cannot be met is missed by as little as the bound allows', () => {
    const { most, runs } = playBy(byDrainTime, dated(0.25));
    expect(most.encode).toBe(rules.max);
    expect(runs).toHaveLength(1);
  });
});

test('the same seed plays the same', () => {
  const rough = { ...calm, crashesPerHour: 1 };
  expect(playBy(byDrainTime, burst, rough)).toEqual(playBy(byDrainTime, burst, rough));
});

test('what a fixed pool does is what its workers can do', () => {
  const pools = { encode: always(1), decode: always(1) };
  const { images, workerHours } = play(burst, calm, pools, createRandom(1));
  // Eleven hours, less 40 s in which they start, at ten a second.
  expect(images).toBeCloseTo(11 * hour * 10, -2);
  expect(workerHours).toBeCloseTo(24, 1);
});
