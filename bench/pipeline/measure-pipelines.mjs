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
 * same images, read from a folder, in one process, so that what distribution costs can be told. Of
 * the first backend also with features elsewhere than in Redis, and with workers of both stages.
 *
 * @param {BenchOptions} options
 * @param {readonly Contender[]} backends
 * @param {{ images: string, features: string }} folders of images, and for features in flight
 * @returns {Promise<Table>}
 */
export async function measurePipelines(
  { runs, model },
  backends,
  { images: imagesFolder, features },
) {
  const archive = await startArchive(imagesFolder);
  const runFlags = ['--beam-size', String(endToEndBeamSize)];
  const pipelines = backends.map(({ name }) => ({
    ...{ name, programs: twoPools, archive, runFlags },
    env: { CUTLINE_BACKEND: name, ...(model !== undefined && { CUTLINE_MODEL: model }) },
  }));
  const [first] = pipelines;
  if (first) pipelines.push(...variantsOf(first, { bucket: archive.output, folder: features }));
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

const twoPools = {
  encoder: pathTo('../../apps/encoder-worker/dist/main.js'),
  decoder: pathTo('../../apps/decoder-worker/dist/main.js'),
};

/**
 * The same pipeline with features elsewhere than in Redis, and with workers of both stages.
 *
 * @template {PipelineOptions} P
 * @param {P} pipeline
 * @param {{ bucket: string, folder: string }} places
 * @returns {P[]}
 */
export function variantsOf(pipeline, { bucket, folder }) {
  const { name, env } = pipeline;
  const inPlace = (/** @type {string} */ where, /** @type {string} */ features) => ({
    ...pipeline,
    name: `${name}, features in ${where}`,
    env: { ...env, CUTLINE_FEATURES: features },
  });
  return [
    inPlace('S3', `${bucket}/in-flight`),
    inPlace('a folder', folder),
    {
      ...pipeline,
      name: `${name}, captioner-worker`,
      programs: { captioner: pathTo('../../apps/captioner-worker/dist/main.js') },
    },
  ];
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
