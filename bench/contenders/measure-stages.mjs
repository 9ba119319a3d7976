// @ts-check

import { interleave } from '../interleave.mjs';
import { summarise } from '../statistics.mjs';

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
 * @returns {{ title: string, request: ContenderRequest }[]}
 */
export function stageRequests({ only, secondsMin, encodeBatches, beamSizes }, folder) {
  const all = [
    { title: 'Preprocess: JPEG → pixels', request: { task: 'preprocess', secondsMin } },
    ...encodeBatches.map((batchSize) => ({
      title: `Encode: pixels → features, batch ${batchSize}`,
      request: { task: 'encode', secondsMin, batchSize },
    })),
    ...beamSizes.map((beamSize) => ({
      title: `Decode: features → captions, beam ${beamSize}, batch ${decodeBatch}`,
      request: { task: 'decode', secondsMin, batchSize: decodeBatch, beamSize },
    })),
    {
      title: `Caption: files → captions in one process, beam ${endToEndBeamSize}`,
      request: { task: 'caption', secondsMin, beamSize: endToEndBeamSize, folder },
    },
  ];
  return all.filter(({ request }) => only.some((section) => section === request.task));
}

/**
 * @param {{ title: string, request: ContenderRequest }} asked
 * @param {readonly Contender[]} contenders
 * @param {number} runs
 * @returns {Promise<Table>}
 */
export async function measureStage({ title, request }, contenders, runs) {
  const subjects = contenders
    .filter(({ tasks }) => tasks.includes(request.task))
    .map(({ name, run }) => ({
      name,
      run: async () => {
        const { captions: _, ...sample } = await run(request);
        return sample;
      },
    }));
  return { title, results: summarise(await interleave(subjects, runs)) };
}
