// @ts-check

import { interleave } from '../interleave.mjs';
import { summarise } from '../statistics.mjs';

/** @import { Subject } from '../interleave.mjs' */
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
 * @param {ReturnType<typeof stageRequests>[number]} asked
 * @param {readonly Contender[]} contenders
 * @param {number} runs
 * @returns {Promise<Table>}
 */
export async function measureStage({ id, title, request }, contenders, runs) {
  const subjects = contenders
    .filter(({ tasks }) => tasks.includes(request.task))
    .map((contender) => subject(contender, request));
  return { id, title, results: summarise(await interleave(subjects, runs)) };
}

/** @param {Contender} contender @param {ContenderRequest} request @returns {Subject} */
export function subject({ name, run }, request) {
  return {
    name,
    async run() {
      const { captions: _, ...sample } = await run(request);
      return sample;
    },
  };
}
