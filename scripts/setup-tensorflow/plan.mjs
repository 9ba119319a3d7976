// @ts-check

/** What `npm run setup:tensorflow` is asked for, and what it does about it on which machine. */
import { parseArgs } from 'node:util';
import { SetupError } from './run-step.mjs';

/** The newest that was tried; `--tensorflow` takes another. */
const tensorflowDefault = '2.21.0';

/**
 * @typedef {'cpu' | 'gpu'} Device
 *
 * @typedef {object} Request
 * @property {Device} [device] absent: what the machine has
 * @property {string} [tensorflow] a version, to be built against
 * @property {boolean} check only say what there is
 *
 * @typedef {object} Machine
 * @property {string} platform as in `process.platform`
 * @property {string} arch as in `process.arch`
 * @property {boolean} hasGpu whether NVIDIA's driver lists one
 *
 * @typedef {object} Plan
 * @property {Device} device
 * @property {string} packageName
 * @property {string} packageVersion
 * @property {readonly ('download' | 'build')[]} ways in order: the package's own download, or a
 *   build against pip's TensorFlow
 * @property {string} requirement for pip
 * @property {string} platform
 *
 * @typedef {object} SetupRecord what was set up, kept beside it
 * @property {Device} device
 * @property {string} packageVersion
 * @property {string} tensorflow version
 * @property {string} platform
 */

/**
 * @param {string[]} args
 * @returns {Request}
 */
export function parseRequest(args) {
  const { values } = parse(args);
  if (values.cpu && values.gpu) throw new SetupError('Give --cpu or --gpu, not both.');
  const { check = false, tensorflow } = values;
  if (tensorflow !== undefined && !/^\d+\.\d+\.\d+$/.test(tensorflow)) {
    throw new SetupError(`--tensorflow takes a version such as 2.21.0, not "${tensorflow}".`);
  }
  return {
    check,
    ...(values.gpu && { device: 'gpu' }),
    ...(values.cpu && { device: 'cpu' }),
    ...(tensorflow !== undefined && { tensorflow }),
  };
}

function parse(/** @type {string[]} */ args) {
  try {
    return parseArgs({
      args,
      options: {
        gpu: { type: 'boolean' },
        cpu: { type: 'boolean' },
        tensorflow: { type: 'string' },
        check: { type: 'boolean' },
      },
    });
  } catch (cause) {
    // Node.js adds advice that does not apply.
    const [what] = (cause instanceof Error ? cause.message : String(cause)).split('. ');
    throw new SetupError(`${what}.`);
  }
}

/**
 * @param {Request} request
 * @param {Machine} machine
 * @param {string} packageVersion the one that goes with the project's tfjs-core
 * @returns {Plan}
 */
export function makePlan(request, { platform, arch, hasGpu }, packageVersion) {
  const device = request.device ?? (hasGpu ? 'gpu' : 'cpu');
  const version = request.tensorflow ?? tensorflowDefault;
  const distribution = arch === 'x64' ? 'tensorflow-cpu' : 'tensorflow';
  return {
    device,
    packageName: device === 'gpu' ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node',
    packageVersion,
    ways: findWays(request, device, platform, hasGpu),
    requirement: `${device === 'gpu' ? 'tensorflow[and-cuda]' : distribution}==${version}`,
    platform: `${platform}-${arch}`,
  };
}

/**
 * The package's own download is smaller and needs no compiler. For GPUs it is of 2022 and for CUDA
 * 11, so it has to prove itself on one: where there is none to see (an image being built) it is
 * left out.
 *
 * @returns {Plan['ways']}
 */
function findWays(
  /** @type {Request} */ request,
  /** @type {Device} */ device,
  /** @type {string} */ platform,
  /** @type {boolean} */ hasGpu,
) {
  const builds = platform === 'linux';
  const downloads = request.tensorflow === undefined && (device === 'cpu' || hasGpu);
  if (builds) return downloads ? ['download', 'build'] : ['build'];
  if (downloads) return ['download'];
  throw new SetupError(
    'This needs a build against TensorFlow, which Cutline knows how to make on Linux only' +
      `${platform === 'win32' ? ': use WSL.' : '.'}`,
  );
}

/**
 * Whether what is there is what was asked for. A build for GPUs will do where nothing in particular
 * was asked for, since it computes on CPUs too.
 *
 * @param {SetupRecord} record
 * @param {Request} request
 * @param {Plan} plan
 */
export function satisfies(record, request, plan) {
  const device =
    record.device === plan.device || (request.device === undefined && record.device === 'gpu');
  const tensorflow = (request.tensorflow ?? record.tensorflow) === record.tensorflow;
  const same = record.packageVersion === plan.packageVersion && record.platform === plan.platform;
  return device && tensorflow && same;
}
