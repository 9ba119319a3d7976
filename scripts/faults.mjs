// @ts-check

/**
 * Real processes under real faults: rounds of a small run with built programs, a Redis and an S3
 * server of their own, and a schedule of faults that a seed draws. A round that goes wrong prints
 * its schedule, and leaves what every process said in a folder.
 *
 *     npm run faults -- --rounds 50
 *     npm run faults -- --seed 1234 --rounds 1 --verbose
 *     npm run faults -- --images 10000        one long run, with the model that ships
 *
 * Moments are bound to requests and not to the clock, but processes run as they like: a seed that
 * went wrong may have to be played more than once.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
      rounds: { type: 'string', default: '20' },
      images: { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'; // told of by programs, once
  const first = Number(values.seed);
  const seeds = Array.from({ length: Number(values.rounds) }, (_, i) => first + i);
  // The rounds share their world with the tests, which nothing compiles: Vitest's loader does.
  const { createViteServer } = await import('vitest/node');
  const root = fileURLToPath(new URL('..', import.meta.url));
  const loader = await createViteServer({
    ...{ root, configFile: false, logLevel: 'error' },
    server: { middlewareMode: true, watch: null, ws: false },
  });
  try {
    /** @type {typeof import('../test/faults/play-rounds.ts')} */
    const { playRounds } = /** @type {any} */ (
      await loader.ssrLoadModule('/test/faults/play-rounds.ts')
    );
    /** @type {import('../test/faults/play-round.ts').Round[]} */
    let rounds;
    if (values.images) {
      /** @type {typeof import('../test/faults/play-long-run.ts')} */
      const { playLongRun } = /** @type {any} */ (
        await loader.ssrLoadModule('/test/faults/play-long-run.ts')
      );
      rounds = [await playLongRun(first, Number(values.images))];
      await show(/** @type {any} */ (rounds[0]), true);
    } else {
      rounds = await playRounds(seeds, {
        onSkipped: (why) => process.stderr.write(`LEFT OUT, on this machine: ${why}\n`),
        onRound: (round) => show(round, values.verbose),
      });
    }
    const bad = rounds.filter(({ violations }) => violations.length > 0);
    const sum = (/** @type {(round: typeof rounds[number]) => number} */ of) =>
      rounds.reduce((total, round) => total + of(round), 0);
    process.stdout.write(
      `\n${rounds.length} rounds, ${sum(({ images }) => images)} images, ` +
        `${sum(({ faults }) => faults.length)} faults, ${sum(({ seconds }) => seconds).toFixed(0)} s: ` +
        (bad.length === 0
          ? 'nothing lost, nothing doubled, everything ended.\n'
          : `${bad.length} went wrong (seeds ${bad.map(({ seed }) => seed).join(', ')}).\n`),
    );
    return bad.length === 0 ? 0 : 1;
  } finally {
    await loader.close();
  }
}

/**
 * @param {import('../test/faults/play-round.ts').Round} round
 * @param {boolean} isVerbose
 */
async function show(round, isVerbose) {
  const { seed, images, faults, seconds, excused, violations, trace } = round;
  const retried = Object.entries(excused).map(([name, n]) => `${n} ${name}`);
  const verdict = violations.length > 0 ? 'WRONG' : 'ok';
  process.stdout.write(
    `seed ${String(seed).padStart(5)} ${String(faults.length).padStart(3)} faults ` +
      `${seconds.toFixed(1).padStart(6)} s ${String(images).padStart(4)} images  ${verdict}` +
      `${retried.length > 0 ? ` (retried: ${retried.join(', ')})` : ''}\n`,
  );
  if (violations.length === 0 && !isVerbose) return;
  const lines = [...trace, ...violations.slice(0, 20).map((each) => `  ✗ ${each}`)];
  if (violations.length > 20) lines.push(`  ✗ and ${violations.length - 20} more`);
  process.stdout.write(`${lines.join('\n')}\n`);
  if (violations.length > 0) process.stdout.write(`  logs: ${await saveLogs(round)}\n`);
}

/** @param {import('../test/faults/play-round.ts').Round} round */
async function saveLogs({ seed, logs }) {
  const folder = join(tmpdir(), `cutline-faults-${seed}-${Date.now()}`);
  await mkdir(folder, { recursive: true });
  for (const [name, text] of logs) {
    await writeFile(join(folder, `${name.replaceAll(' ', '-')}.log`), text);
  }
  return folder;
}
