// @ts-check

/** @import { Result, Spread } from './statistics.mjs' */

/** @typedef {{ title: string, results: Result[] }} Table */

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
 * As text: rates with their spread, CPU time, other costs an image, and how many times as fast as
 * the first.
 *
 * @param {Table} table
 */
export function formatTable({ title, results }) {
  const costs = Object.keys(results.find(({ perImage }) => perImage)?.perImage ?? {});
  const head = ['', 'images/s', 'min–max', 'CPU ms/image', 'ratio', ...costs.map(costHead)];
  const rows = results.map((result) => formatResult(result, costs));
  return `${title}\n${alignColumns([head, ...rows])}\n`;
}

/** @param {Result} result @param {string[]} costs */
function formatResult(result, costs) {
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
      const value = perImage?.[cost] ?? Number.NaN;
      return formatNumber(cost.endsWith('CpuSeconds') ? value * 1000 : value);
    }),
  ];
}

/** @param {string} cost */
function costHead(cost) {
  return costHeads[cost] ?? cost;
}

/** @param {Spread} spread */
function formatSpread({ min, max }) {
  return `${formatNumber(min)}–${formatNumber(max)}`;
}

/** Three significant digits, and all of them before the point. @param {number} value */
function formatNumber(value) {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return Number(value.toPrecision(3)).toString();
}

/** The first column to the left, the others to the right. @param {string[][]} rows */
function alignColumns(rows) {
  const widths = rows.reduce(
    (/** @type {number[]} */ widest, row) =>
      row.length < 3 ? widest : row.map((cell, n) => Math.max(cell.length, widest[n] ?? 0)),
    [],
  );
  const nameWidth = Math.max(...rows.map(([name = '']) => name.length));
  return rows
    .map(([name = '', ...cells]) =>
      ['', name.padEnd(nameWidth), ...cells.map((cell, n) => cell.padStart(widths[n + 1] ?? 0))]
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
