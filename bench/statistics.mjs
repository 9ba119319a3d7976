// @ts-check

/** @import { Measured, Sample } from './interleave.mjs' */

/** @typedef {{ median: number, min: number, max: number }} Spread */

/**
 * One line of a table.
 *
 * @typedef {object} Result
 * @property {string} name
 * @property {string} [failure] why there are no numbers
 * @property {Spread} [imagesPerSecond]
 * @property {Spread} [cpuSecondsPerImage]
 * @property {Record<string, number>} [perImage] medians of other costs
 * @property {Record<string, number>} [eventLoopLagP99] medians, by worker, in seconds
 * @property {number} [ratio] how many times as fast as the first: the median over the rounds of the
 *   quotient within a round
 * @property {Sample[]} [samples] in the order of the rounds
 */

/**
 * @param {readonly Measured[]} measured
 * @returns {Result[]}
 */
export function summarise(measured) {
  const first = measured.find(({ failure }) => failure === undefined);
  return measured.map(({ name, samples, failure }) => {
    if (failure !== undefined) return { name, failure };
    const rates = samples.map(rate);
    const costs = Object.keys(samples[0]?.perImage ?? {});
    const workers = Object.keys(samples[0]?.eventLoopLag ?? {});
    return {
      name,
      imagesPerSecond: spreadOf(rates),
      cpuSecondsPerImage: spreadOf(samples.map(cpuTime)),
      perImage: Object.fromEntries(
        costs.map((cost) => [cost, median(samples.map(({ perImage }) => perImage?.[cost] ?? 0))]),
      ),
      eventLoopLagP99: Object.fromEntries(
        workers.map((worker) => [
          worker,
          median(samples.map(({ eventLoopLag }) => eventLoopLag?.[worker]?.p99 ?? Number.NaN)),
        ]),
      ),
      ratio: median(rates.map((value, round) => value / rate(first?.samples[round]))),
      samples,
    };
  });
}

/** @param {readonly number[]} values @returns {Spread} */
export function spreadOf(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = Number.NaN] = [
    sorted[Math.ceil(middle) - 1],
    sorted[Math.floor(middle)],
  ];
  return (low + high) / 2;
}

/** Images a second. @param {Sample | undefined} sample */
export function rate(sample) {
  return sample ? sample.images / sample.seconds : Number.NaN;
}

/** Seconds an image. @param {Sample | undefined} sample */
export function cpuTime(sample) {
  return sample ? sample.cpuSeconds / sample.images : Number.NaN;
}
