// @ts-check

/**
 * How fast everything is, on this machine: each stage alone, one process end to end, the pipeline,
 * the queues, and the same work done in Python. docs/decisions/0008-how-we-measure.md says what
 * the numbers mean.
 */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultBundleFolder, describeBundle, exportGraphs } from '@cutline/inference';
import { compareCaptions, formatAgreement } from './contenders/compare-captions.mjs';
import { measureStage, stageRequests } from './contenders/measure-stages.mjs';
import { startContenders } from './contenders/start-contenders.mjs';
import { describeMachine, versions } from './describe-machine.mjs';
import { formatPrecisions, measurePrecision } from './features/measure-precision.mjs';
import { makeImages } from './make-images.mjs';
import { parseOptions, usage } from './options.mjs';
import { measurePipelines, measureQueues } from './pipeline/measure-pipelines.mjs';
import { formatTable } from './print-results.mjs';
import { listImageFiles } from './read-images.mjs';
import { formatTargets, targets } from './targets.mjs';

/** @import { Agreement } from './contenders/compare-captions.mjs' */
/** @import { Precisions } from './features/measure-precision.mjs' */
/** @import { BenchOptions } from './options.mjs' */
/** @import { Table } from './print-results.mjs' */
/** @import { Target } from './targets.mjs' */

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
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
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
  const report = {
    takenAt: new Date().toISOString(),
    machine: describeMachine(),
    versions: versions(),
    options,
    contenders: /** @type {{ name: string, description: string }[]} */ ([]),
    absent: /** @type {{ name: string, reason: string }[]} */ ([]),
    tables: /** @type {Table[]} */ ([]),
    agreement: /** @type {Agreement[]} */ ([]),
    precisions: /** @type {Precisions | undefined} */ (undefined),
    targets: /** @type {Target[]} */ ([]),
  };
  const { machine } = report;
  say(`${machine.cpu}, ${machine.cores} cores, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB`);
  say(`${Object.entries(report.versions).flat().join(' ')}, load ${machine.loadBefore.toFixed(2)}`);
  if (options.quick) say('--quick: these numbers mean nothing.');
  /** @param {Table} table */
  const add = (table) => {
    report.tables.push(table);
    say(`\n${formatTable(table).trimEnd()}`);
  };

  const images = join(folder, 'images');
  await prepareImages(options, images);
  const measures = (/** @type {BenchOptions['only'][number]} */ section) =>
    options.only.includes(section);
  const requests = stageRequests(options, images);
  const graphs = join(folder, 'graphs');
  await exportGraphs(defaultBundleFolder(), graphs);
  const { contenders, absent } = await startContenders(
    // The pipeline is of backends; peers are for the stages alone.
    requests.length > 0 || measures('agreement') ? options : { ...options, peers: [] },
    { images, graphs },
  );
  report.absent = absent;
  report.contenders = contenders.map(({ name, description }) => ({ name, description }));
  for (const { name, description } of report.contenders) say(`${name}: ${description}`);
  for (const { name, reason } of absent) say(`${name}: left out (${reason.split('\n')[0]})`);
  try {
    for (const request of requests) {
      add(await measureStage(request, contenders, options.runs));
    }
    if (measures('agreement')) {
      const folders = { images, pixels: join(folder, 'pixels') };
      report.agreement = await compareCaptions(contenders, folders);
      say('\nAgreement');
      for (const agreement of report.agreement) say(`  ${formatAgreement(agreement)}`);
    }
    const backends = contenders.filter(({ name }) => options.backends.includes(name));
    for (const other of contenders) if (!backends.includes(other)) await other.stop();
    if (measures('pipeline')) {
      add(await measurePipelines(options, backends, images));
    }
  } finally {
    for (const { stop } of contenders) await stop();
  }
  if (measures('queue')) add(await measureQueues(options, folder));
  if (measures('features')) {
    report.precisions = await measurePrecision(images);
    say(`\n${formatPrecisions(report.precisions).trimEnd()}`);
  }
  const { features } = await describeBundle(defaultBundleFolder());
  report.targets = targets(report, 2 * features.locations * features.channels);
  if (report.targets.length > 0) say(`\n${formatTargets(report.targets).trimEnd()}`);

  const json = `${JSON.stringify(report, null, 2)}\n`;
  const file = join(resultsFolder, `${report.takenAt.replaceAll(/[:.]/g, '-')}.json`);
  await mkdir(resultsFolder, { recursive: true });
  await writeFile(file, json);
  say(`\nWritten to ${relative(process.cwd(), file)}`);
  if (options.json) process.stdout.write(json);
  return report.tables.some(({ results }) => results.some(({ failure }) => failure)) ? 1 : 0;
}

/**
 * A folder with exactly the images that are measured.
 *
 * @param {BenchOptions} options
 * @param {string} folder
 */
async function prepareImages({ imagesFolder, imageCount }, folder) {
  if (imagesFolder === undefined) return makeImages(folder, imageCount);
  // npm runs scripts in the project's folder; the path is relative to where the user stands.
  const path = resolve(process.env.INIT_CWD ?? '.', imagesFolder);
  const names = await listImageFiles(path, imageCount);
  if (names.length === 0) throw new Error(`There are no JPEG or PNG files in ${path}.`);
  await mkdir(folder);
  for (const name of names) await copyFile(join(path, name), join(folder, name));
}
