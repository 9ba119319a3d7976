// @ts-check

/**
 * Plays days of work against the rules that pools are scaled by, and against others: when all is
 * done, what it costs, how much of what is paid for computes. docs/SCALING.md has what it prints.
 *
 *     node bench/scaling/main.mjs [folder for pictures]
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRandom } from '@cutline/captioner';
import { plot } from './plot.mjs';
import { always, byDrainTime, byQueueLength, byWorkLeft, shippedRules } from './rules.mjs';
import { play } from './simulate.mjs';
import { machines, scenarios } from './workloads.mjs';

/** @import { Played } from './simulate.mjs' */
/** @import { Scenario } from './workloads.mjs' */

const [folder] = process.argv.slice(2);
const { drainSeconds: shippedSeconds } = await shippedRules();
/** An hour of a machine of two cores. */
const dollarsAnHour = 0.09;

for (const scenario of scenarios) {
  const played = await playAll(scenario);
  process.stdout.write(`\n${scenario.name}\n\n`);
  process.stdout.write(
    '| scaled by | done | longest run | late | workers at most | worker-hours | computing | cost |\n',
  );
  process.stdout.write('|---|---|---|---|---|---|---|---|\n');
  for (const row of played) process.stdout.write(`| ${row.name} | ${figures(row.played)} |\n`);
  if (!folder) continue;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `scaling-${scenario.file}.svg`), plot(scenario.name, played));
}

/** @param {Scenario} scenario @returns {Promise<{ name: string, played: Played }[]>} */
async function playAll(scenario) {
  const rules = await shippedRules({
    drainSeconds: scenario.drainSeconds,
    max: scenario.max,
  });
  const { encode, decode } = scenario.secondsPerImage;
  // Enough for the mean of what comes, were it spread over the time.
  const images = scenario.arrivals.reduce((sum, arrival) => sum + arrival.images, 0);
  const enough = (/** @type {number} */ seconds) =>
    Math.ceil((1.25 * images * seconds) / (scenario.days * 86_400));
  const hours = scenario.drainSeconds / 3600;
  const dated = scenario.arrivals.map((arrival) => ({
    ...arrival,
    deadlineSeconds: arrival.atSeconds + scenario.deadlineSeconds,
  }));
  const ships = scenario.drainSeconds === shippedSeconds ? ' (ships)' : '';
  const ways = [
    {
      name: `drain time, a deadline after ${scenario.deadlineSeconds / 3600} h (ships)`,
      scaler: () => byDrainTime(rules),
      arrivals: dated,
    },
    {
      name: `drain time, ${hours} h${ships}`,
      scaler: () => byDrainTime(rules),
    },
    { name: `what is left ÷ ${hours} h`, scaler: () => byWorkLeft(rules) },
    { name: 'length of the queue: 10 batches a worker', scaler: () => byQueueLength(rules, 10) },
    {
      name: 'nobody: enough for the mean',
      scaler: (/** @type {'encode' | 'decode'} */ stage) =>
        always(enough(stage === 'encode' ? encode : decode)),
    },
  ];
  return ways.map(({ name, scaler, arrivals = scenario.arrivals }) => ({
    name,
    played: play(
      { ...scenario, arrivals },
      machines,
      { encode: scaler('encode'), decode: scaler('decode') },
      createRandom(1),
    ),
  }));
}

/** @param {Played} played */
function figures({ moments, images, runs, most, workerHours, usefulHours }) {
  const all = images + (moments.at(-1)?.left ?? 0);
  const slowest = Math.max(...runs.map(({ arrivedAt, doneAt }) => doneAt - arrivedAt));
  const dated = runs.filter(({ deadlineSeconds }) => deadlineSeconds !== undefined);
  const late = dated.filter(({ doneAt, deadlineSeconds = 0 }) => doneAt > deadlineSeconds);
  return [
    `${((100 * images) / all).toFixed(images === Math.round(all) ? 0 : 1)}%`,
    Number.isFinite(slowest) ? `${(slowest / 3600).toFixed(1)} h` : '—',
    dated.length > 0 ? `${late.length} of ${dated.length}` : '—',
    `${most.encode} + ${most.decode}`,
    workerHours.toFixed(workerHours < 100 ? 1 : 0),
    `${((100 * usefulHours) / workerHours).toFixed(0)}%`,
    `$${(workerHours * dollarsAnHour).toFixed(workerHours < 100 ? 2 : 0)}`,
  ].join(' | ');
}
