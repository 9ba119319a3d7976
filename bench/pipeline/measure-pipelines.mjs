// @ts-check

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { captionRequest, endToEndBeamSize, subject } from '../contenders/measure-stages.mjs';
import { interleave } from '../interleave.mjs';
import { makeNullImages } from '../make-images.mjs';
import { summarise } from '../statistics.mjs';
import { folderArchive, startArchive } from './archive.mjs';
import { startPipeline } from './start-pipeline.mjs';

/** @import { Contender } from '../contenders/start-contenders.mjs' */
/** @import { Subject } from '../interleave.mjs' */
/** @import { BenchOptions } from '../options.mjs' */
/** @import { Table } from '../print-results.mjs' */
/** @import { PipelineOptions } from './start-pipeline.mjs' */

/**
 * The whole pipeline with real models, over Redis and the S3-protocol server; in turn with the
 * same images, read from a folder, in one process, so that what distribution costs can be told.
 *
 * @param {BenchOptions} options
 * @param {readonly Contender[]} backends
 * @param {string} imagesFolder
 * @returns {Promise<Table>}
 */
export async function measurePipelines({ runs }, backends, imagesFolder) {
  const archive = await startArchive(imagesFolder);
  const programs = {
    encoder: pathTo('../../apps/encoder-worker/dist/main.js'),
    decoder: pathTo('../../apps/decoder-worker/dist/main.js'),
  };
  const pipelines = backends.map(({ name }) => ({
    ...{ name, programs, archive, env: { CUTLINE_BACKEND: name } },
    runFlags: ['--beam-size', String(endToEndBeamSize)],
  }));
  const alone = backends.map((backend) => ({
    ...subject(backend, captionRequest(imagesFolder)),
    name: inOneProcess(backend.name),
  }));
  try {
    return await measure(
      { id: 'pipeline', title: `Pipeline: S3 → captions through Redis, beam ${endToEndBeamSize}` },
      { pipelines, alone },
      runs,
    );
  } finally {
    await archive.stop();
  }
}

/** How a backend's row in the pipeline's table is named that is not a pipeline. @param {string} backend */
export function inOneProcess(backend) {
  return `${backend} in one process`;
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
  const title = 'Queues: 100-byte images through both, without a model';
  return measure({ id: 'queue', title }, { pipelines: [pipeline], alone: [] }, runs);
}

/**
 * @param {{ id: string, title: string }} table
 * @param {{ pipelines: readonly PipelineOptions[], alone: readonly Subject[] }} compared
 * @param {number} runs
 * @returns {Promise<Table>}
 */
async function measure(table, { pipelines, alone }, runs) {
  const started = [];
  try {
    for (const options of pipelines) started.push(await startPipeline(options));
    return { ...table, results: summarise(await interleave([...started, ...alone], runs)) };
  } finally {
    for (const pipeline of started) await pipeline.stop();
  }
}

/** @param {string} path */
function pathTo(path) {
  return fileURLToPath(new URL(path, import.meta.url));
}
