// @ts-check

/** @import { Machines, Workload } from './simulate.mjs' */

/**
 * What is played. Seconds an image are of a worker on two cores, as they were measured: README.md
 * (the model that ships: 239 images/s encoded, 548 decoded), docs/MODELS.md (BLIP-base in bytes:
 * 0.21 and 0.146 CPU seconds, and 5 ms to read a JPEG).
 */

const small = { encode: 1 / 239, decode: 1 / 548 };
const blip = { encode: (0.21 + 0.005) / 2, decode: 0.146 / 2 };

/** Half a minute for a container's start, some seconds for the model; on spot machines. @type {Machines} */
export const machines = {
  startSeconds: 40,
  crashesPerHour: 0.01,
  lossesPerHour: 0.05,
  lockSeconds: 30,
};

const batchSize = 64;
/** 256 batches. */
const windowImages = 256 * batchSize;
const hour = 3600;

/** @typedef {Workload & { name: string, file: string, drainSeconds: number, deadlineSeconds: number, max: number }} Scenario
 *   `drainSeconds` for runs without a deadline; with one, they have `deadlineSeconds` from their arrival */

/** @type {Scenario[]} */
export const scenarios = [
  {
    ...{ name: 'A million images at once, the model that ships', file: 'million' },
    arrivals: [{ atSeconds: hour, images: 1_000_000 }],
    ...{ days: 1, secondsPerImage: small, batchSize, windowImages },
    ...{ drainSeconds: hour, deadlineSeconds: 2 * hour, max: 20 },
  },
  {
    ...{
      name: 'An agency’s week: 300,000 images a day in six deliveries, BLIP-base',
      file: 'week',
    },
    arrivals: Array.from({ length: 42 }, (_, n) => ({
      atSeconds: hour + n * 4 * hour,
      images: n % 6 < 3 ? 80_000 : 20_000,
    })),
    ...{ days: 7, secondsPerImage: blip, batchSize, windowImages },
    ...{ drainSeconds: hour, deadlineSeconds: 4 * hour, max: 20 },
  },
  {
    ...{
      name: 'A hundred million images, to be done in two days, BLIP-base',
      file: 'hundred-million',
    },
    arrivals: [{ atSeconds: hour, images: 100_000_000 }],
    // Jobs of so many workers wait in so large a window.
    ...{ days: 7, secondsPerImage: blip, batchSize, windowImages: 16 * windowImages },
    ...{ drainSeconds: 2 * 86_400, deadlineSeconds: 2 * 86_400, max: 120 },
  },
];
