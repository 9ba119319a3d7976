// @ts-check

import { alignColumns, formatNumber } from './format-text.mjs';
import { inOneProcess } from './pipeline/measure-pipelines.mjs';
import { formatSpread } from './print-results.mjs';
import { cpuTime, rate, spreadOf } from './statistics.mjs';

/** @import { Agreement } from './contenders/compare-captions.mjs' */
/** @import { Precisions } from './features/measure-precision.mjs' */
/** @import { Sample } from './interleave.mjs' */
/** @import { Table } from './print-results.mjs' */
/** @import { Spread } from './statistics.mjs' */

/**
 * What the project holds itself to, read from what was measured: ratios within rounds, and costs
 * that do not depend on the machine.
 *
 * @typedef {object} Target
 * @property {string} what
 * @property {Spread} measured over the rounds
 * @property {number} [atLeast]
 * @property {number} [atMost]
 * @property {boolean} met by the median
 */

/** @typedef {Omit<Target, 'measured' | 'met'> & { values: number[] }} Candidate */

/** How many times as fast as another, in images/s. */
const speedRatios = [
  { table: 'encode:32', name: 'onnx', reference: 'python onnxruntime', atLeast: 0.95 },
  { table: 'encode:32', name: 'onnx', reference: 'python pytorch', atLeast: 3 },
  { table: 'encode:32', name: 'tensorflow', reference: 'python pytorch', atLeast: 1 },
  { table: 'encode:32', name: 'wasm', reference: 'python pytorch', atLeast: 0.8 },
  { table: 'decode:3', name: 'onnx', reference: 'python pytorch-plain', atLeast: 2.5 },
  { table: 'decode:3', name: 'onnx', reference: 'python pytorch', atLeast: 2 },
  { table: 'caption', name: 'onnx', reference: 'python pytorch', atLeast: 2.5 },
];

const backends = ['onnx', 'wasm', 'tensorflow'];

/**
 * Those of which something was measured.
 *
 * @param {object} measured
 * @param {readonly Table[]} measured.tables
 * @param {readonly Agreement[]} measured.agreement
 * @param {Precisions} [measured.precisions]
 * @param {number} featureBytes of an image, as they travel
 * @returns {Target[]}
 */
export function targets({ tables, agreement, precisions }, featureBytes) {
  return [
    ...speedTargets(tables),
    ...pipelineTargets(tables, featureBytes),
    ...agreement.flatMap(agreementTargets),
    ...(precisions ? precisionTargets(precisions) : []),
  ]
    .filter(({ values }) => values.length > 0)
    .map(({ values, ...target }) => {
      const measured = spreadOf(values);
      const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = target;
      return { ...target, measured, met: measured.median >= atLeast && measured.median <= atMost };
    });
}

/** @param {readonly Target[]} list */
export function formatTargets(list) {
  const rows = list.map(({ what, measured, atLeast, atMost, met }) => [
    what,
    formatNumber(measured.median),
    measured.min === measured.max ? '' : formatSpread(measured),
    atLeast === undefined
      ? `at most ${formatNumber(atMost ?? 0)}`
      : `at least ${formatNumber(atLeast)}`,
    met ? '' : 'missed',
  ]);
  const head = ['', 'measured', 'min–max', 'should be', ''];
  return `What should hold on every machine that is quiet\n${alignColumns([head, ...rows])}\n`;
}

/** @param {readonly Table[]} tables @returns {Candidate[]} */
function speedTargets(tables) {
  return speedRatios.map(({ table, name, reference, atLeast }) => ({
    what: `${table.replace(':', ' ')}: ${name} ÷ ${reference}, images/s`,
    values: quotients(rate, samplesOf(tables, table, name), samplesOf(tables, table, reference)),
    atLeast,
  }));
}

/** @param {readonly Table[]} tables @param {number} featureBytes @returns {Candidate[]} */
function pipelineTargets(tables, featureBytes) {
  const first = backends.map((name) => samplesOf(tables, 'pipeline', name)).find((s) => s.length);
  const costs = (/** @type {string} */ cost) =>
    (first ?? []).map(({ perImage }) => perImage?.[cost] ?? Number.NaN);
  return [
    ...backends.map((name) => ({
      what: `pipeline: ${name} ÷ ${inOneProcess(name)}, CPU time`,
      values: quotients(
        cpuTime,
        samplesOf(tables, 'pipeline', name),
        samplesOf(tables, 'pipeline', inOneProcess(name)),
      ),
      atMost: 1.15,
    })),
    { what: 'pipeline: Redis commands an image', values: costs('redisCommands'), atMost: 0.4 },
    {
      what: 'pipeline: Redis bytes an image',
      values: costs('redisBytes'),
      atMost: featureBytes * 2.1 + 1024,
    },
    { what: 'pipeline: S3 requests an image', values: costs('s3Requests'), atMost: 1.1 },
    ...['encoder', 'decoder'].map((worker) => ({
      what: `pipeline: event-loop lag of the ${worker}-worker, p99 in ms`,
      values: (first ?? []).flatMap(({ eventLoopLag }) => {
        const lag = eventLoopLag?.[worker];
        return lag ? [1000 * lag.p99] : [];
      }),
      atMost: 50,
    })),
    {
      what: 'queues: images/s',
      values: samplesOf(tables, 'queue', 'null model').map(rate),
      atLeast: 1500,
    },
  ];
}

/** Of backends, not of peers, and from the same pixels. @param {Agreement} agreement @returns {Candidate[]} */
function agreementTargets({ name, reference, of, images, same, tieDifference }) {
  if (!backends.includes(name) || of !== 'the same pixels') return [];
  return [
    { what: `same captions: ${name} as ${reference}`, values: [same / images], atLeast: 0.995 },
    {
      what: `difference in score where ${name} says something else`,
      values: [tieDifference],
      atMost: 1e-3,
    },
  ];
}

/** Of features as they travel. @param {Precisions} precisions @returns {Candidate[]} */
function precisionTargets({ images, precisions }) {
  const shipped = precisions.filter(({ name }) => name === 'float16');
  return shipped.flatMap(({ name, share, same }) => [
    { what: `features: ${name} ÷ float32 feature map, bytes`, values: [share], atMost: 0.25 },
    ...same.map((found) => ({
      what: `same captions: ${name} as float32, beam ${found.beamSize}`,
      values: [found.images / images],
      atLeast: 0.99,
    })),
  ]);
}

/** @param {readonly Table[]} tables @param {string} table @param {string} row @returns {Sample[]} */
function samplesOf(tables, table, row) {
  const found = tables.find(({ id }) => id === table)?.results.find(({ name }) => name === row);
  return found?.samples ?? [];
}

/**
 * Within rounds; none where either was not measured.
 *
 * @param {(sample: Sample | undefined) => number} quantity
 * @param {readonly Sample[]} samples
 * @param {readonly Sample[]} references
 */
function quotients(quantity, samples, references) {
  if (references.length === 0) return [];
  return samples.map((sample, round) => quantity(sample) / quantity(references[round]));
}
