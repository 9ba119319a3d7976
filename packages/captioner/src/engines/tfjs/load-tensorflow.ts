/**
 * TensorFlow's native library through tfjs-node: for GPUs, and for training. Optional, because it
 * takes hundreds of megabytes: `npm run setup:tensorflow` puts it into `.cache/tensorflow`, where
 * `npm ci` leaves it alone.
 *
 * That folder lies in the clone, and holds no tfjs-core of its own: Node.js looks for it in the
 * folders above, and finds the one that everything else here uses.
 */
import { createRequire } from 'node:module';
import type { Engine, EngineOptions } from '../engine.ts';
import { TensorflowOps } from './tensorflow-ops.ts';
import { createTfjsEngine } from './tfjs-engine.ts';
import type { Tf } from './tfjs-ops.ts';

const gpuPackage = '@tensorflow/tfjs-node-gpu';
const packages = [gpuPackage, '@tensorflow/tfjs-node'] as const;

const setupFolder = new URL('../../../../../.cache/tensorflow/', import.meta.url);
const remedy = 'run: npm run setup:tensorflow';

export interface TensorflowOptions extends Pick<EngineOptions, 'device' | 'threads'> {
  /** Where to look first, for whoever sets TensorFlow up. Ends in a slash. */
  folder?: URL;
}

/** @throws Error that says why TensorFlow does not load, and what to do. */
export async function loadTensorflow({
  device,
  threads,
  folder = setupFolder,
}: TensorflowOptions = {}): Promise<Engine> {
  const require = createRequire(folder);
  const name = packages.find((candidate) => isInstalled(require, candidate));
  if (!name) throw new Error(`TensorFlow is not set up (${remedy})`);
  // Without a GPU it takes half a second to learn from TensorFlow that there is none.
  if (device === 'gpu' && name !== gpuPackage) throw new Error(`${name} is for CPUs`);

  setEnvironment(threads);
  restoreUtil(require);
  const tf = load(require, name);
  await tf.setBackend('tensorflow');
  const { isUsingGpuDevice, binding } = tf.backend() as NodeBackend;
  if (device === 'gpu' && !isUsingGpuDevice) throw new Error(`${name} finds no GPU`);
  tf.enableProdMode();
  if (device === 'cpu' && isUsingGpuDevice) throw new Error(`${name} computes on the GPU`);
  const computes = isUsingGpuDevice ? 'GPU' : 'CPU';
  return createTfjsEngine({
    tf,
    ops: new TensorflowOps(tf),
    backend: 'tensorflow',
    description: `TensorFlow ${binding.TF_Version}, ${computes}, ${name} ${tf.version['tfjs-node']}`,
    device: isUsingGpuDevice ? 'gpu' : 'cpu',
    deviceBatch: { encode: 32, decode: 32 },
  });
}

function isInstalled(require: NodeJS.Require, name: string): boolean {
  try {
    return require.resolve(name) !== '';
  } catch {
    return false;
  }
}

function load(require: NodeJS.Require, name: string): TfjsNode {
  let tf: TfjsNode;
  try {
    tf = require(name) as TfjsNode;
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n', 1);
    throw new Error(`${name} does not load: ${reason} (${remedy})`, { cause });
  }
  const { 'tfjs-node': version } = tf.version;
  if (version === tf.version_core) return tf;
  throw new Error(`${name} ${version} is not for TensorFlow.js ${tf.version_core} (${remedy})`);
}

/**
 * What TensorFlow takes from the environment, unless the user has set it. It reads the process's
 * own: in a worker thread this has an effect if the thread shares it (`env: SHARE_ENV`).
 */
function setEnvironment(threads: number | undefined): void {
  const defaults = {
    // Errors only: the rest is about how TensorFlow was compiled.
    TF_CPP_MIN_LOG_LEVEL: '2',
    // All of a GPU's memory otherwise, at once.
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    ...(threads !== undefined && { TF_NUM_INTRAOP_THREADS: String(threads) }),
  };
  for (const [name, value] of Object.entries(defaults)) process.env[name] ??= value;
}

/** Node.js 22 warns of two functions that tfjs-node calls, and 23 has one of them no longer. */
function restoreUtil(require: NodeJS.Require): void {
  Object.assign(require('node:util'), {
    isArray: Array.isArray,
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  });
}

/** The packages re-export all of tfjs-core, and the versions of what they contain. */
type TfjsNode = Tf & { version: { 'tfjs-node': string } };

/** What its backend says about itself, which tfjs-core's type leaves out. */
type NodeBackend = ReturnType<Tf['backend']> & {
  isUsingGpuDevice: boolean;
  binding: { TF_Version: string };
};
