// @ts-check

/**
 * How fast everything is, on this machine: each stage alone, one process end to end, the pipeline,
 * the queues, and the same work done in Python. docs/decisions/0008-how-we-measure.md says what
 * the numbers mean.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeMachine, versions } from './describe-machine.mjs';
import { measure } from './measure.mjs';
import { parseOptions, usage } from './options.mjs';

/** @import { BenchOptions } from './options.mjs' */
/** @import { Report } from './measure.mjs' */

const resultsFolder = fileURLToPath(new URL('./results', import.meta.url));

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit status
 */
export async function main(args) {
  let options;
  try {
    options = parseOptions(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    return 2;
  }
  if (!options) {
    process.stdout.write(usage);
    return 0;
  }
  const folder = await mkdtemp(join(tmpdir(), 'cutline-bench-'));
  try {
    return await bench(options, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param {BenchOptions} options @param {string} folder for what is made */
async function bench(options, folder) {
  /** @param {string} text */
  const say = (text) => void (options.json ? process.stderr : process.stdout).write(`${text}\n`);
  /** @type {Report} */
  const report = {
    takenAt: new Date().toISOString(),
    machine: describeMachine(),
    versions: versions(),
    options,
    contenders: [],
    absent: [],
    tables: [],
    agreement: [],
    targets: [],
  };
  const { machine } = report;
  say(`${machine.cpu}, ${machine.cores} cores, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB`);
  say(`${Object.entries(report.versions).flat().join(' ')}, load ${machine.loadBefore.toFixed(2)}`);
  if (options.quick) say('--quick: these numbers mean nothing.');
  await measure(options, folder, report, say);

  const json = `${JSON.stringify(report, null, 2)}\n`;
  const file = join(resultsFolder, `${report.takenAt.replaceAll(/[:.]/g, '-')}.json`);
  await mkdir(resultsFolder, { recursive: true });
  await writeFile(file, json);
  say(`\nWritten to ${relative(process.cwd(), file)}`);
  if (options.json) process.stdout.write(json);
  return report.tables.some(({ results }) => results.some(({ failure }) => failure)) ? 1 : 0;
}
