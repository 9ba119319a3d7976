// @ts-check

/**
 * What published captioners cost on this machine, at their published sizes: CPU time and memory of
 * each stage on one thread, float32, and how much memory `model inspect` says. docs/MODELS.md has the
 * tables.
 *
 *     node bench/published/main.mjs <folder for checkpoints and bundles> [names]
 *
 * The folder keeps what is made (2 to 4 GB a captioner), and is asked first.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describeBundle, modelSize } from '@cutline/inference';
import { describeMachine, versions } from '../describe-machine.mjs';
import { alignColumns, formatNumber } from '../format-text.mjs';
import { architectures } from './architectures.mjs';
import { bundleOf } from './bundle-of.mjs';

/** @typedef {{ images: number, cpuSeconds: number, rssBytesMax: number }} Measured */

const run = promisify(execFile);
const program = fileURLToPath(new URL('./measure-stage.mjs', import.meta.url));

const [folder, names = Object.keys(architectures).join()] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('node bench/published/main.mjs <folder> [names]\n');
  process.exit(2);
}
const machine = describeMachine();
process.stdout.write(`${machine.cpu}, ${machine.cores} cores; `);
process.stdout.write(`${Object.entries(versions()).flat().join(' ')}\n`);
const head = [
  ...['', 'images at a time', 'images a CPU second', 'CPU s an image'],
  ...['memory, MB', 'as estimated'],
];
for (const name of names.split(',')) {
  const { bundle } = await bundleOf(folder, name);
  const { memory } = modelSize((await describeBundle(bundle)).description);
  const rows = [];
  for (const stage of /** @type {const} */ (['encode', 'decode'])) {
    await measure(bundle, stage, 1, 0); // a first start takes more memory
    for (const estimated of memory) {
      const { images: count } = estimated;
      const { images, cpuSeconds, rssBytesMax } = await measure(bundle, stage, count, 10);
      rows.push([
        `${name}, ${stage}`,
        String(count),
        formatNumber(images / cpuSeconds),
        formatNumber(cpuSeconds / images),
        formatNumber(rssBytesMax / 1e6),
        formatNumber(estimated[`${stage}Bytes`] / rssBytesMax),
      ]);
    }
  }
  process.stdout.write(`\n${alignColumns([head, ...rows])}\n`);
}

/**
 * @param {string} bundle
 * @param {string} stage
 * @param {number} count images at a time
 * @param {number} seconds at least
 * @returns {Promise<Measured>}
 */
async function measure(bundle, stage, count, seconds) {
  const args = [program, bundle, stage, String(count), String(seconds)];
  const { stdout } = await run(process.execPath, args);
  return JSON.parse(stdout);
}
