// @ts-check

import { fileURLToPath } from 'node:url';
import { LineProcess } from '../line-process.mjs';

/** @import { BenchOptions } from '../options.mjs' */
/** @import { Sample } from '../interleave.mjs' */

/**
 * A program that does the model's work, or some of it: a backend of ours, sharp, or a peer.
 *
 * @typedef {object} Contender
 * @property {string} name
 * @property {string} description what computes, in which version
 * @property {string[]} tasks what it can do: preprocess, encode, decode, caption
 * @property {(request: ContenderRequest) => Promise<ContenderSample>} run
 * @property {() => Promise<void>} stop
 */

/**
 * @typedef {object} ContenderRequest
 * @property {string} task
 * @property {number} secondsMin
 * @property {number} [batchSize] of encode and decode
 * @property {number} [beamSize] of decode and caption
 * @property {number} [words] of decode and caption: just so many, or tokens; else the model's own
 * @property {string} [folder] of caption
 */

/** @typedef {{ caption: string, score: number }} Said */

/** @typedef {Sample & { captions?: Record<string, Said> }} ContenderSample captions by file */

/** @type {Record<string, { script: string, way?: string[] }>} */
const peerPrograms = {
  pytorch: { script: '../peers/pytorch_peer.py' },
  'pytorch-channels-last': { script: '../peers/pytorch_peer.py', way: ['channels-last'] },
  'pytorch-plain': { script: '../peers/pytorch_peer.py', way: ['plain'] },
  onnxruntime: { script: '../peers/onnxruntime_peer.py' },
};

/** Sections that are of contenders alone: all of them take part. */
const contendersAlone = new Set(['preprocess', 'encode', 'decode', 'caption', 'agreement']);

/**
 * Starts everything that takes part (in the pipeline, our backends alone): each in a process of its
 * own, since native libraries do not share one well, and so that CPU time can be told apart.
 *
 * @param {BenchOptions} options
 * @param {{ images: string, graphs: string }} folders of the images, and of the exported graphs
 * @returns {Promise<{ contenders: Contender[], absent: { name: string, reason: string }[] }>}
 */
export async function startContenders(options, folders) {
  const { only, python, stageImageCount, model } = options;
  const alone = only.some((section) => contendersAlone.has(section));
  const backends = alone || only.includes('pipeline') ? options.backends : [];
  const peers = alone ? options.peers : [];
  const bundle = model === undefined ? [] : [model];
  const node = (/** @type {string} */ name, /** @type {string} */ script, args = bundle) => ({
    name,
    command: process.execPath,
    args: [pathTo(script), folders.images, String(stageImageCount), ...args],
  });
  const programs = [
    node('sharp', './sharp.mjs', bundle),
    ...backends.map((name) => node(name, './backend.mjs', [name, ...bundle])),
    ...peers.map((name) => {
      const { script, way = [] } = peerPrograms[name] ?? { script: '' };
      const args = ['-B', pathTo(script), folders.images, String(stageImageCount), folders.graphs];
      return { name: `python ${name}`, command: python, args: [...args, ...way] };
    }),
  ];
  const contenders = [];
  const absent = [];
  for (const program of programs) {
    const started = await startContender(program);
    if ('reason' in started) absent.push(started);
    else contenders.push(started);
  }
  return { contenders, absent };
}

/**
 * @param {{ name: string, command: string, args: string[] }} program
 * @returns {Promise<Contender | { name: string, reason: string }>}
 */
export async function startContender({ name, command, args }) {
  const lines = new LineProcess(command, args);
  try {
    const { unavailable, tasks, description } = await lines.first();
    if (unavailable === undefined) {
      const run = (/** @type {ContenderRequest} */ request) => lines.ask(request);
      return { name, tasks, description, run, stop: () => lines.stop() };
    }
    await lines.stop();
    return { name, reason: unavailable };
  } catch (error) {
    await lines.stop();
    return { name, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** @param {string} path */
function pathTo(path) {
  return fileURLToPath(new URL(path, import.meta.url));
}
