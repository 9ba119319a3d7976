// @ts-check

/**
 * What it costs to operate a run, by how many images it has: time, and requests to the output
 * store by kind. Images, stores and the model are made up, in this process; Redis is real.
 * docs/SCALE.md has the tables.
 *
 *     node bench/scale/main.mjs [images, …]
 */
import { describeMachine, versions } from '../describe-machine.mjs';
import { formatNumber } from '../format-text.mjs';
import { measureScale } from './measure-scale.mjs';

const sizes = process.argv.slice(2).map(Number);
if (sizes.some((images) => !Number.isInteger(images) || images < 1)) {
  process.stderr.write('node bench/scale/main.mjs [images, …]\n');
  process.exit(2);
}
const machine = describeMachine();
process.stdout.write(`${machine.cpu}, ${machine.cores} cores, load ${machine.loadBefore}; `);
process.stdout.write(`${Object.entries(versions()).flat().join(' ')}\n`);
for (const images of sizes.length > 0 ? sizes : [1_000, 10_000, 100_000]) {
  process.stdout.write(`\n| ${images} images | s | requests | |\n|---|---|---|---|\n`);
  await measureScale(images, ({ operation, seconds, requests, remark }) => {
    process.stdout.write(`| ${operation} | ${formatNumber(seconds)} | ${requests} | ${remark} |\n`);
  });
}
// The producer that was cut off waits for its stores, and would do so for ever.
process.exit();
