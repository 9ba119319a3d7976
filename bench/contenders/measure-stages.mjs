// @ts-check

import { runRound } from '../interleave.mjs';
import { summarise } from '../statistics.mjs';

/** @import { Measured, Subject } from '../interleave.mjs' */
/** @import { BenchOptions } from '../options.mjs' */
/** @import { Table } from '../print-results.mjs' */
/** @import { Contender, ContenderRequest } from './start-contenders.mjs' */

/** Of the end-to-end measurements. */
export const endToEndBeamSize = 3;

/** Batch of the decode measurements: that of a job. */
const decodeBatch = 64;

/**
 * What is asked of contenders: one table each.
 *
 * @param {BenchOptions} options
 * @param {string} folder of images
 * @returns {{ id: string, title: string, request: ContenderRequest }[]}
 */
export function stageRequests({ only, secondsMin, encodeBatches, beamSizes }, folder) {
  const all = [
    {
      id: 'preprocess',
      title: 'Preprocess: JPEG → pixels',
      request: { task: 'preprocess', secondsMin },
    },
    ...encodeBatches.map((batchSize) => ({
      id: `encode:${batchSize}`,
      title: `Encode: pixels → features, batch ${batchSize}`,
      request: { task: 'encode', secondsMin, batchSize },
    })),
    ...beamSizes.map((beamSize) => ({
      id: `decode:${beamSize}`,
      title: `Decode: features → captions, beam ${beamSize}, batch ${decodeBatch}`,
      request: { task: 'decode', secondsMin, batchSize: decodeBatch, beamSize },
    })),
    {
      id: 'caption',
      title: `Caption: files → captions in one process, beam ${endToEndBeamSize}`,
      request: captionRequest(folder),
    },
  ];
  return all.filter(({ request }) => only.some((section) => section === request.task));
}

/** One pass over a folder. @param {string} folder @returns {ContenderRequest} */
export function captionRequest(folder) {
  return { task: 'caption', secondsMin: 0, beamSize: endToEndBeamSize, folder };
}

/**
 * Round by round, and in every round in processes that were started for it: how fast a process is
 * depends on how it happened to start, for PyTorch by 15 %.
 *
 * @param {ReturnType<typeof stageRequests>} requests
 * @param {object} rounds
 * @param {number} rounds.runs
 * @param {(round: number) => Promise<Contender[]>} rounds.start the contenders of a round; those of
 *   the one before are stopped
 * @returns {Promise<Table[]>}
 */
export async function measureStages(requests, { runs, start }) {
  const tables = requests.map((asked) => ({ ...asked, measured: /** @type {Measured[]} */ ([]) }));
  for (let round = 0; round < runs; round++) {
    const contenders = await start(round);
    for (const { request, measured } of tables) {
      const able = contenders.filter(({ tasks }) => tasks.includes(request.task));
      for (const lost of measured.filter(({ name }) => able.every((each) => each.name !== name))) {
        lost.failure ??= 'it could not be started again';
      }
      await runRound(
        able.map((contender) => subject(contender, request)),
        measured,
        round,
      );
    }
  }
  return tables.map(({ id, title, measured }) => ({ id, title, results: summarise(measured) }));
}

/**
 * Twice where it is short, and the first time not counted: kernels are chosen then, memory is
 * allocated and JavaScript compiled.
 *
 * @param {Contender} contender
 * @param {ContenderRequest} request
 * @returns {Subject}
 */
export function subject({ name, run }, request) {
  return {
    name,
    async run() {
      if (request.secondsMin > 0) await run(request);
      const { captions: _, ...sample } = await run(request);
      return sample;
    },
  };
}
