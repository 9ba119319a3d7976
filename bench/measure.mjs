// @ts-check

import { join } from 'node:path';
import { defaultBundleFolder, describeBundle, exportGraphs } from '@cutline/inference';
import { compareCaptions, formatAgreement } from './contenders/compare-captions.mjs';
import { measureStages, stageRequests } from './contenders/measure-stages.mjs';
import { startContenders } from './contenders/start-contenders.mjs';
import { formatPrecisions, measurePrecision } from './features/measure-precision.mjs';
import { measurePipelines, measureQueues } from './pipeline/measure-pipelines.mjs';
import { prepareImages } from './prepare-images.mjs';
import { formatTable } from './print-results.mjs';
import { formatTargets, targets } from './targets.mjs';

/** @import { describeMachine } from './describe-machine.mjs' */
/** @import { Agreement } from './contenders/compare-captions.mjs' */
/** @import { Precisions } from './features/measure-precision.mjs' */
/** @import { BenchOptions } from './options.mjs' */
/** @import { Table } from './print-results.mjs' */
/** @import { Target } from './targets.mjs' */

/**
 * What is written as JSON.
 *
 * @typedef {object} Report
 * @property {string} takenAt
 * @property {ReturnType<typeof describeMachine>} machine
 * @property {Record<string, string>} versions
 * @property {BenchOptions} options
 * @property {{ name: string, description: string }[]} contenders
 * @property {{ name: string, reason: string }[]} absent
 * @property {Table[]} tables
 * @property {Agreement[]} agreement
 * @property {Precisions} [precisions]
 * @property {Target[]} targets
 */

/**
 * Measures what is asked for, and says and keeps what it finds.
 *
 * @param {BenchOptions} options
 * @param {string} folder for what is made
 * @param {Report} report
 * @param {(text: string) => void} say
 */
export async function measure(options, folder, report, say) {
  /** @param {Table} table */
  const add = (table) => {
    report.tables.push(table);
    say(`\n${formatTable(table).trimEnd()}`);
  };
  const images = join(folder, 'images');
  const bundle = options.model ?? defaultBundleFolder();
  await prepareImages(options, images);
  const measures = (/** @type {BenchOptions['only'][number]} */ section) =>
    options.only.includes(section);
  const requests = stageRequests(options, images);
  const graphs = join(folder, 'graphs');
  await exportGraphs(defaultBundleFolder(), graphs);
  const started = await startContenders(options, { images, graphs });
  let { contenders } = started;
  const { absent } = started;
  report.absent = absent;
  report.contenders = contenders.map(({ name, description }) => ({ name, description }));
  for (const { name, description } of report.contenders) say(`${name}: ${description}`);
  for (const { name, reason } of absent) say(`${name}: left out (${reason.split('\n')[0]})`);
  try {
    if (requests.length > 0) {
      const start = async (/** @type {number} */ round) => {
        say(`round ${round + 1} of ${options.runs} …`);
        if (round === 0) return contenders;
        for (const { stop } of contenders) await stop();
        contenders = [];
        ({ contenders } = await startContenders(options, { images, graphs }));
        return contenders;
      };
      for (const table of await measureStages(requests, { runs: options.runs, start })) add(table);
    }
    if (measures('agreement')) {
      const folders = { images, pixels: join(folder, 'pixels') };
      report.agreement = await compareCaptions(contenders, folders, { bundle });
      say('\nAgreement');
      for (const agreement of report.agreement) say(`  ${formatAgreement(agreement)}`);
    }
    const backends = contenders.filter(({ name }) => options.backends.includes(name));
    for (const other of contenders) if (!backends.includes(other)) await other.stop();
    if (measures('pipeline')) {
      const folders = { images, features: join(folder, 'features') };
      add(await measurePipelines(options, backends, folders));
    }
  } finally {
    for (const { stop } of contenders) await stop();
  }
  if (measures('queue')) add(await measureQueues(options, folder));
  if (measures('features')) {
    report.precisions = await measurePrecision(images, bundle);
    say(`\n${formatPrecisions(report.precisions).trimEnd()}`);
  }
  const { features } = await describeBundle(bundle);
  report.targets = targets(report, 2 * features.locations * features.channels);
  if (report.targets.length > 0) say(`\n${formatTargets(report.targets).trimEnd()}`);
}
