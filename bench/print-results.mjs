// @ts-check

import { alignColumns, formatNumber } from './format-text.mjs';

/** @import { Result, Spread } from './statistics.mjs' */

/**
 * @typedef {object} Table
 * @property {string} id for targets.mjs: `encode:32`, `pipeline`, …
 * @property {string} title
 * @property {Result[]} results
 */

/** How other costs are headed. */
const costHeads = /** @type {Record<string, string>} */ ({
  redisCommands: 'Redis cmds',
  redisCalls: 'cmds+scripts’',
  redisBytes: 'Redis bytes',
  s3Requests: 'S3 requests',
  workersCpuSeconds: 'workers ms',
  producerCpuSeconds: 'producer ms',
  redisCpuSeconds: 'Redis ms',
});

/**
 * As text: rates with their spread, CPU time, how many times as fast as the first, other costs an
 * image, and the 99th percentile of the workers' event-loop lag.
 *
 * @param {Table} table
 */
export function formatTable({ title, results }) {
  const costs = [...new Set(results.flatMap(({ perImage = {} }) => Object.keys(perImage)))];
  const lags = results.flatMap(({ eventLoopLagP99 = {} }) => Object.keys(eventLoopLagP99));
  const workers = [...new Set(lags)];
  const head = [
    ...['', 'images/s', 'min–max', 'CPU ms/image', 'ratio'],
    ...costs.map(costHead),
    ...workers.map((worker) => `${worker} lag p99 ms`),
  ];
  const rows = results.map((result) => formatResult(result, costs, workers));
  return `${title}\n${alignColumns([head, ...rows])}\n`;
}

/** @param {Result} result @param {string[]} costs @param {string[]} workers */
function formatResult(result, costs, workers) {
  const { name, failure, imagesPerSecond, cpuSecondsPerImage, perImage, ratio } = result;
  if (failure !== undefined || !imagesPerSecond || !cpuSecondsPerImage) {
    return [name, `failed: ${failure?.split('\n')[0]}`];
  }
  return [
    name,
    formatNumber(imagesPerSecond.median),
    formatSpread(imagesPerSecond),
    formatNumber(cpuSecondsPerImage.median * 1000),
    ratio?.toFixed(2) ?? '',
    ...costs.map((cost) => {
      const value = perImage?.[cost];
      if (value === undefined) return '';
      return formatNumber(cost.endsWith('CpuSeconds') ? value * 1000 : value);
    }),
    ...workers.map((worker) => {
      const seconds = result.eventLoopLagP99?.[worker];
      return seconds === undefined ? '' : formatNumber(seconds * 1000);
    }),
  ];
}

/** @param {string} cost */
function costHead(cost) {
  return costHeads[cost] ?? cost;
}

/** @param {Spread} spread */
export function formatSpread({ min, max }) {
  return `${formatNumber(min)}–${formatNumber(max)}`;
}
