// @ts-check

/**
 * One run of something.
 *
 * @typedef {object} Sample
 * @property {number} images
 * @property {number} seconds wall-clock time
 * @property {number} cpuSeconds of all processes and threads that belong to it
 * @property {Record<string, number>} [perImage] other costs, already divided by the images
 * @property {Record<string, Lag>} [eventLoopLag] of each worker, by what it is called
 */

/**
 * How much later than they should timers of a process's main thread went off, in seconds.
 *
 * @typedef {{ p99: number, max: number }} Lag
 */

/**
 * What is measured: under which name, and how to run it once.
 *
 * @typedef {object} Subject
 * @property {string} name
 * @property {() => Promise<Sample>} run
 */

/**
 * The samples of one subject, or why there are none.
 *
 * @typedef {{ name: string, samples: Sample[], failure?: string }} Measured
 */

/**
 * Runs all subjects in turn, round by round, so that what the machine does besides, or how hot it
 * gets, meets all alike: their ratios hold where their rates do not. Every other round goes
 * backwards, so that none is always the one after the slowest. The first round warms up and is not
 * counted. A subject that fails is left out from then on.
 *
 * @param {readonly Subject[]} subjects
 * @param {number} runs
 * @returns {Promise<Measured[]>}
 */
export async function interleave(subjects, runs) {
  /** @type {Measured[]} */
  const measured = subjects.map(({ name }) => ({ name, samples: [] }));
  for (let round = 0; round <= runs; round++) {
    const order = subjects.map((_, index) => index);
    if (round % 2 === 1) order.reverse();
    for (const index of order) {
      const [subject, result] = [subjects[index], measured[index]];
      if (!subject || !result || result.failure !== undefined) continue;
      try {
        const sample = await subject.run();
        if (round > 0) result.samples.push(sample);
      } catch (error) {
        result.failure = error instanceof Error ? error.message : String(error);
      }
    }
  }
  return measured;
}
