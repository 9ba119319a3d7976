// @ts-check

/**
 * Whether a plan comes true: `cutline plan` of so many images on an S3-protocol server, then the run,
 * with one encoder-worker and one decoder-worker on the same machine, and the two side by side.
 *
 *     node bench/plan/main.mjs [images]
 *
 * The machine should have nothing else to do. What is wanted: time and requests within 20%.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeMachine, versions } from '../describe-machine.mjs';
import { alignColumns, formatNumber } from '../format-text.mjs';
import { makeImages } from '../make-images.mjs';
import { measurePlan } from './measure-plan.mjs';

const images = Number(process.argv[2] ?? 2_000);
if (!Number.isInteger(images) || images < 1) {
  process.stderr.write('node bench/plan/main.mjs [images]\n');
  process.exit(2);
}
const say = (/** @type {string} */ text) => void process.stdout.write(`${text}\n`);
const load = () => (loadavg()[0] ?? 0).toFixed(1);
const machine = describeMachine();
say(`${machine.cpu}, ${machine.cores} cores; ${Object.entries(versions()).flat().join(' ')}`);
const folder = await mkdtemp(join(tmpdir(), 'cutline-bench-plan-'));
try {
  say(`making ${images} images …`);
  await makeImages(join(folder, 'images'), images);
  const { rows, page } = await measurePlan(join(folder, 'images'), {
    onStep: (step) => say(`load ${load()}: ${step} …`),
  });
  say(`load ${load()}\n\n${page}`);
  const cells = rows.map(({ what, planned, low, high, became }) => {
    const interval = low === high ? '' : `${formatNumber(low)} to ${formatNumber(high)}`;
    const ratio = planned === 0 ? '' : `${Math.round(100 * (became / planned - 1))}%`;
    return [what, formatNumber(planned), interval, formatNumber(became), ratio];
  });
  say(alignColumns([['', 'planned', '95%', 'became', 'more'], ...cells]));
} finally {
  await rm(folder, { recursive: true, force: true });
}
