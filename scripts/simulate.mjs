// @ts-check

/**
 * Plays the pipeline in the simulator: the real code of producers and workers, in memory, under
 * faults drawn from a seed. A round that goes wrong prints what happened in it, and is played again
 * with its seed.
 *
 *     npm run simulate -- --rounds 3000
 *     npm run simulate -- --seed 1234 --rounds 1
 */
import { parseArgs } from 'node:util';

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit status
 */
export async function main(args) {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '3000' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const { simulate, simulateInThreads } = await import('../test/simulation/dist/simulate.js');
  const seed = Number(values.seed);
  const rounds = Number(values.rounds);
  const started = performance.now();
  const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
  let played = 0;
  /** @param {import('../test/simulation/simulate-round.ts').Round} round */
  const show = (round) => {
    played += 1;
    if (round.violations.length > 0 || values.verbose) {
      const what = [...round.trace, ...round.violations.map((each) => `  ✗ ${each}`)];
      process.stdout.write(`\nseed ${round.seed}\n${what.join('\n')}\n`);
    }
    if (played % 1000 === 0) process.stdout.write(`${played} rounds in ${seconds()} s\n`);
  };
  const { faults, failed } =
    rounds === 1 ? await simulate([seed], show) : await simulateInThreads(seed, rounds, show);
  process.stdout.write(
    `\n${rounds} rounds, ${faults} faults and events, ${seconds()} s: ` +
      (failed.length === 0
        ? 'nothing lost, nothing doubled, everything ended.\n'
        : `${failed.length} went wrong (seeds ${failed
            .slice(0, 20)
            .map((each) => each.seed)
            .join(', ')}).\n`),
  );
  return failed.length === 0 ? 0 : 1;
}
