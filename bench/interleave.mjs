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
 * gets, meets all alike: their ratios hold where their rates do not. The first round warms up and is
 * not counted. A subject that fails is left out from then on.
 *
 * @param {readonly Subject[]} subjects
 * @param {number} runs
 * @returns {Promise<Measured[]>}
 */
export async function interleave(subjects, runs) {
  /** @type {Measured[]} */
  const measured = [];
  for (let round = 0; round <= runs; round++) {
    await runRound(subjects, measured, round);
    if (round === 0) for (const { samples } of measured) samples.length = 0;
  }
  return measured;
}

/**
 * One round: each subject's sample is added to what was measured under its name. Every other round
 * goes backwards, so that none is always the one after the slowest.
 *
 * @param {readonly Subject[]} subjects
 * @param {Measured[]} measured in the order in which subjects were first seen
 * @param {number} round
 */
export async function runRound(subjects, measured, round) {
  const pairs = subjects.map((subject) => ({ subject, result: resultOf(measured, subject.name) }));
  if (round % 2 === 1) pairs.reverse();
  for (const { subject, result } of pairs) {
    if (result.failure !== undefined) continue;
    try {
      result.samples.push(await subject.run());
    } catch (error) {
      result.failure = error instanceof Error ? error.message : String(error);
    }
  }
}

/** @param {Measured[]} measured @param {string} name */
function resultOf(measured, name) {
  const known = measured.find((each) => each.name === name);
  if (known) return known;
  /** @type {Measured} */
  const result = { name, samples: [] };
  measured.push(result);
  return result;
}
