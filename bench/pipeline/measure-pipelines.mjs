// @ts-check

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endToEndBeamSize } from '../contenders/measure-stages.mjs';
import { interleave } from '../interleave.mjs';
import { makeNullImages } from '../make-images.mjs';
import { summarise } from '../statistics.mjs';
import { folderArchive, startArchive } from './archive.mjs';
import { startPipeline } from './start-pipeline.mjs';

/** @import { BenchOptions } from '../options.mjs' */
/** @import { Table } from '../print-results.mjs' */
/** @import { PipelineOptions } from './start-pipeline.mjs' */

/**
 * The whole pipeline with real models, over Redis and the S3-protocol server.
 *
 * @param {BenchOptions} options
 * @param {readonly string[]} backends that load
 * @param {string} imagesFolder
 * @returns {Promise<Table>}
 */
export async function measurePipelines({ runs }, backends, imagesFolder) {
  const archive = await startArchive(imagesFolder);
  const programs = {
    encoder: pathTo('../../apps/encoder-worker/dist/main.js'),
    decoder: pathTo('../../apps/decoder-worker/dist/main.js'),
  };
  const pipelines = backends.map((name) => ({
    ...{ name, programs, archive, env: { CUTLINE_BACKEND: name } },
    runFlags: ['--beam-size', String(endToEndBeamSize)],
  }));
  try {
    const title = `Pipeline: S3 → captions through Redis, beam ${endToEndBeamSize}`;
    return await measure(title, pipelines, runs);
  } finally {
    await archive.stop();
  }
}

/**
 * What is left of the pipeline without models, images to decode and S3: the queues.
 *
 * @param {BenchOptions} options
 * @param {string} folder for what is read and written
 * @returns {Promise<Table>}
 */
export async function measureQueues({ runs, nullImageCount }, folder) {
  const images = join(folder, 'null-images');
  await makeNullImages(images, nullImageCount);
  const pipeline = {
    name: 'null model',
    programs: {
      encoder: pathTo('../null-model/encoder-worker.mjs'),
      decoder: pathTo('../null-model/decoder-worker.mjs'),
    },
    archive: folderArchive(images, folder, nullImageCount),
  };
  return measure('Queues: 100-byte images through both, without a model', [pipeline], runs);
}

/**
 * @param {string} title
 * @param {readonly PipelineOptions[]} options
 * @param {number} runs
 * @returns {Promise<Table>}
 */
async function measure(title, options, runs) {
  const pipelines = [];
  try {
    for (const each of options) pipelines.push(await startPipeline(each));
    return { title, results: summarise(await interleave(pipelines, runs)) };
  } finally {
    for (const pipeline of pipelines) await pipeline.stop();
  }
}

/** @param {string} path */
function pathTo(path) {
  return fileURLToPath(new URL(path, import.meta.url));
}
