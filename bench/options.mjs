// @ts-check

import { parseArgs } from 'node:util';

/** What can be measured, in the order in which it is. */
export const sections = /** @type {const} */ ([
  'preprocess',
  'encode',
  'decode',
  'caption',
  'agreement',
  'pipeline',
  'queue',
  'features',
]);

/** The backends of ours that are tried; the first that loads is what others are compared with. */
const backends = ['onnx', 'wasm', 'tensorflow'];

/** Programs in Python that do the same work on the same files and weights. */
const peers = ['pytorch', 'pytorch-channels-last', 'pytorch-plain', 'onnxruntime'];

export const usage = `npm run bench -- [flags]

How fast everything is, on this machine. Prints tables, and writes bench/results/<time>.json.

  --quick               tiny counts: to see that it works; its numbers mean nothing
  --backends <a,b>      default: ${backends.join(',')}
  --peers <a,b|none>    Python programs to compare with; default: ${peers.join(',')}
  --python <command>    default: python3
  --only <a,b>          some of: ${sections.join(', ')}
  --images <folder>     JPEG or PNG files; default: variants of nine photographs
  --model <folder>      bundle; default: the one that ships, which is what peers compute
  --image-count <n>     images of the end-to-end measurements; default: 1024
  --runs <n>            default: 5
  --json                print the JSON on stdout (with npm run -s), and the tables on stderr
`;

/**
 * @typedef {object} BenchOptions
 * @property {string[]} backends
 * @property {string[]} peers
 * @property {string} python
 * @property {(typeof sections)[number][]} only
 * @property {string | undefined} imagesFolder
 * @property {string} [model] folder of a bundle in place of the one that ships
 * @property {number} imageCount images of the end-to-end measurements
 * @property {number} stageImageCount images of the measurements of one stage, at most
 * @property {number} nullImageCount images of 100 bytes for the queues
 * @property {number} runs timed runs of everything, after one to warm up
 * @property {number} secondsMin how long a run of one stage goes on, at least
 * @property {number[]} encodeBatches
 * @property {number[]} beamSizes
 * @property {boolean} json
 * @property {boolean} quick
 */

/**
 * @param {string[]} args
 * @returns {BenchOptions | undefined} undefined where help is asked for
 * @throws Error that says which flag is wrong
 */
export function parseOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      backends: { type: 'string', default: backends.join() },
      peers: { type: 'string' },
      python: { type: 'string', default: 'python3' },
      only: { type: 'string', default: sections.join() },
      images: { type: 'string' },
      model: { type: 'string' },
      'image-count': { type: 'string' },
      runs: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const { quick, model } = values;
  const peersAsked = values.peers ?? (model === undefined ? peers.join() : 'none');
  if (model !== undefined && peersAsked !== 'none') {
    throw new Error('--peers: they compute the model that ships, not that of --model');
  }
  const imageCount = wholeNumber('--image-count', values['image-count'] ?? (quick ? '8' : '1024'));
  return {
    backends: someOf('--backends', values.backends, backends),
    peers: peersAsked === 'none' ? [] : someOf('--peers', peersAsked, peers),
    python: values.python,
    only: someOf('--only', values.only, sections),
    imagesFolder: values.images,
    ...(model !== undefined && { model }),
    imageCount,
    stageImageCount: Math.min(imageCount, 128),
    nullImageCount: quick ? 640 : 12_800,
    runs: wholeNumber('--runs', values.runs ?? (quick ? '2' : '5')),
    secondsMin: quick ? 0 : 1,
    encodeBatches: quick ? [1, 32] : [1, 8, 32, 64],
    beamSizes: quick ? [3] : [1, 3, 5],
    json: values.json,
    quick,
  };
}

/**
 * @template {string} Name
 * @param {string} flag
 * @param {string} text
 * @param {readonly Name[]} known
 * @returns {Name[]}
 */
function someOf(flag, text, known) {
  return text.split(',').map((given) => {
    const name = known.find((each) => each === given);
    if (name === undefined) throw new Error(`${flag} ${given}: expected ${known.join(', ')}`);
    return name;
  });
}

/** @param {string} flag @param {string} text */
function wholeNumber(flag, text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`${flag} ${text}: expected a whole number of at least 1`);
  }
  return value;
}
