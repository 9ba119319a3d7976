// @ts-check

/** @import { Sample } from './interleave.mjs' */

/**
 * Runs whole passes over the same images until `secondsMin` have gone by, so that every contender
 * does the same work and short ones are measured long enough.
 *
 * @param {{ images: number, secondsMin: number }} request
 * @param {() => Promise<unknown>} pass over `images` images
 * @returns {Promise<Sample>} CPU time is that of this whole process
 */
export async function timePasses({ images, secondsMin }, pass) {
  const clock = startClock();
  let passes = 0;
  do {
    await pass();
    passes += 1;
  } while (clock().seconds < secondsMin);
  return { images: passes * images, ...clock() };
}

/**
 * Batches that end while the clock runs, at least: those that are half done when it starts and stops
 * are as many, but not as far.
 */
const batchesMin = 12;

/**
 * The same where several batches are in hand at once, as a worker has them: timed in mid-stream,
 * from the end of the first pass on, since a worker neither fills up nor runs dry in a week.
 *
 * @param {object} request
 * @param {readonly Batch[]} request.batches of one pass
 * @param {number} request.atOnce batches in hand
 * @param {number} request.secondsMin
 * @param {(batch: Batch) => Promise<unknown>} work
 * @returns {Promise<Sample>}
 * @template {{ images: number }} Batch
 */
export async function timeStream({ batches, atOnce, secondsMin }, work) {
  const images = batches.reduce((sum, batch) => sum + batch.images, 0);
  let taken = 0;
  let finished = 0;
  /** @type {ReturnType<typeof startClock> | undefined} */
  let clock;
  /** @type {Sample | undefined} */
  let sample;
  const takeBatches = async () => {
    while (!sample) {
      await work(/** @type {Batch} */ (batches[taken++ % batches.length]));
      finished += 1;
      if (finished % batches.length > 0) continue;
      const passes = finished / batches.length - 1;
      clock ??= startClock();
      if (passes * batches.length < batchesMin || clock().seconds < secondsMin) continue;
      sample ??= { images: passes * images, ...clock() };
    }
  };
  await Promise.all(Array.from({ length: atOnce }, takeBatches));
  return /** @type {Sample} */ (/** @type {unknown} */ (sample));
}

/** @returns {() => { seconds: number, cpuSeconds: number }} since the start; CPU time of all threads */
function startClock() {
  const cpu = process.cpuUsage();
  const started = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return {
      seconds: (performance.now() - started) / 1000,
      cpuSeconds: (user + system) / 1e6,
    };
  };
}
