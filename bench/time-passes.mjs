// @ts-check

/**
 * Runs whole passes over the same images until `secondsMin` have gone by, so that every contender
 * does the same work and short ones are measured long enough.
 *
 * @param {{ images: number, secondsMin: number }} request
 * @param {() => Promise<unknown>} pass over `images` images
 * @returns {Promise<import('./interleave.mjs').Sample>} CPU time is that of this whole process
 */
export async function timePasses({ images, secondsMin }, pass) {
  const cpu = process.cpuUsage();
  const started = performance.now();
  let passes = 0;
  let seconds = 0;
  do {
    await pass();
    passes += 1;
    seconds = (performance.now() - started) / 1000;
  } while (seconds < secondsMin);
  const { user, system } = process.cpuUsage(cpu);
  return { images: passes * images, seconds, cpuSeconds: (user + system) / 1e6 };
}
