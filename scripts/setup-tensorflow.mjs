// @ts-check

/**
 * Puts TensorFlow's native library into `.cache/tensorflow`, where the `tensorflow` backend finds
 * it and `npm ci` leaves it alone:
 *
 *     npm run setup:tensorflow                            # for the GPU if there is one
 *     npm run setup:tensorflow -- --gpu | --cpu
 *     npm run setup:tensorflow -- --tensorflow 2.20.0     # build against this version
 *     npm run setup:tensorflow -- --check                 # only say what there is
 *
 * Everything is made in a folder beside it, tried there, and moved into place at the end; whatever
 * goes wrong leaves things as they were. docs/decisions/0007-tensorflow-native.md says why.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildAddon, findBuildTools, putTensorflow } from './setup-tensorflow/build-addon.mjs';
import { download, putPackage } from './setup-tensorflow/package-files.mjs';
import { makePlan, parseRequest, satisfies } from './setup-tensorflow/plan.mjs';
import { runStep, runs, SetupError, say } from './setup-tensorflow/run-step.mjs';

/**
 * @typedef {import('./setup-tensorflow/plan.mjs').Plan} Plan
 * @typedef {import('./setup-tensorflow/plan.mjs').SetupRecord} SetupRecord
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const recordName = 'setup.json';

/**
 * @param {string[]} args
 * @param {string} cache the folder that holds TensorFlow's; in the clone, which is where Node.js
 *   finds the project's tfjs-core
 * @returns {Promise<number>} exit status
 */
export async function main(args, cache = join(root, '.cache')) {
  const folder = join(cache, 'tensorflow');
  try {
    say(setUp(args, cache, folder));
    return 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** @returns {string} what there is now */
function setUp(
  /** @type {string[]} */ args,
  /** @type {string} */ cache,
  /** @type {string} */ folder,
) {
  const request = parseRequest(args);
  const record = readRecord(folder);
  mkdirSync(cache, { recursive: true });
  const log = join(cache, 'tensorflow-setup.log');
  writeFileSync(log, '');
  const hasGpu = runs('nvidia-smi', ['-L']);
  if (request.check) {
    if (!record) throw new SetupError('TensorFlow is not set up.');
    return `TensorFlow is set up: ${tryTensorflow(folder, record.device, hasGpu, log)}`;
  }

  const machine = { platform: process.platform, arch: process.arch, hasGpu };
  const plan = makePlan(request, machine, findPackageVersion());
  if (record && satisfies(record, request, plan)) {
    try {
      const description = tryTensorflow(folder, record.device, hasGpu, log);
      return `TensorFlow is set up already: ${description}`;
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      say(`${error.message} Setting it up again.`);
    }
  }
  const partial = join(cache, 'tensorflow.partial');
  try {
    const description = make(plan, partial, hasGpu, log);
    if (description === undefined) {
      const left = record ? 'What was there stays' : 'Cutline goes on without it';
      throw new SetupError(`TensorFlow could not be set up (details: ${log}). ${left}.`);
    }
    writeRecord(partial, plan, description);
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
    const tried = plan.device === 'gpu' && !hasGpu ? ' (tried without a GPU: none is here)' : '';
    return `TensorFlow is set up: ${description}${tried}`;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/**
 * One way after the other, until one works.
 * @returns {string | undefined} what computes
 */
function make(
  /** @type {Plan} */ plan,
  /** @type {string} */ folder,
  /** @type {boolean} */ hasGpu,
  /** @type {string} */ log,
) {
  rmSync(folder, { recursive: true, force: true });
  for (const way of plan.ways) {
    try {
      if (way === 'download') {
        putPackage(plan, folder, log);
        download(plan, folder, log);
      } else {
        const python = findBuildTools();
        putTensorflow(python, plan, folder, log);
        putPackage(plan, folder, log);
        buildAddon(plan, folder, log);
      }
      return tryTensorflow(folder, plan.device, hasGpu, log);
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      say(`  ${error.message}`);
    }
  }
  return undefined;
}

/** @returns {string} what computes */
function tryTensorflow(
  /** @type {string} */ folder,
  /** @type {import('./setup-tensorflow/plan.mjs').Device} */ device,
  /** @type {boolean} */ hasGpu,
  /** @type {string} */ log,
) {
  const program = fileURLToPath(new URL('./setup-tensorflow/try-tensorflow.mjs', import.meta.url));
  const args = [program, pathToFileURL(`${folder}/`).href];
  const step = { cwd: root, log, timeoutMs: 5 * 60_000 };
  const output = runStep('TensorFlow does not work', process.execPath, args, step);
  const { description } = JSON.parse(output);
  if (device === 'gpu' && hasGpu && !description.includes(', GPU,')) {
    throw new SetupError(`${description} does not see the GPU.`);
  }
  return description;
}

/** The version of tfjs-core that the project uses is the version that all its parts have to have. */
export function findPackageVersion() {
  const manifest = readFileSync(join(root, 'packages/captioner/package.json'), 'utf8');
  return /** @type {string} */ (JSON.parse(manifest).dependencies['@tensorflow/tfjs-core']);
}

/** @returns {SetupRecord | undefined} */
function readRecord(/** @type {string} */ folder) {
  const path = join(folder, recordName);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

function writeRecord(
  /** @type {string} */ folder,
  /** @type {Plan} */ { device, packageVersion, platform },
  /** @type {string} */ description,
) {
  const tensorflow = /^TensorFlow ([^,]+)/.exec(description)?.[1] ?? '';
  /** @type {SetupRecord} */
  const record = { device, packageVersion, tensorflow, platform };
  writeFileSync(join(folder, recordName), JSON.stringify(record));
}
