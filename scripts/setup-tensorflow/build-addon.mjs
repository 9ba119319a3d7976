// @ts-check

/**
 * tfjs-node's addon, compiled against the headers and libraries inside the TensorFlow that pip
 * provides. Nothing of it is run by Python; pip is what finds and fetches the right file.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { runStep, runs, SetupError, say } from './run-step.mjs';

/** @typedef {import('./plan.mjs').Plan} Plan */

/** A version of Python for which there is every TensorFlow of the last years. */
const pythonOfWheels = '3.12';

/** What has to be there before it is worth while to fetch anything. @returns {string} Python */
export function findBuildTools() {
  const python = ['python3', 'python'].find((command) => runs(command, ['--version']));
  if (!python) {
    throw new SetupError('A build needs python3, which is not installed (apt: python3-pip).');
  }
  if (!runs(python, ['-m', 'pip', '--version'])) {
    throw new SetupError(`A build needs pip, which ${python} does not have (apt: python3-pip).`);
  }
  for (const command of ['make', 'c++']) {
    if (runs(command, ['--version'])) continue;
    throw new SetupError(`A build needs ${command}, which is not installed (apt: make g++).`);
  }
  return python;
}

/**
 * pip's TensorFlow into `<folder>/python`. Of the CPU's, its Python dependencies are left out; the
 * GPU's name the CUDA libraries.
 *
 * @param {string} python
 * @param {Plan} plan
 * @param {string} folder
 * @param {string} log
 */
export function putTensorflow(python, { device, requirement }, folder, log) {
  const size = device === 'gpu' ? 'about 4 GB with CUDA' : 'about 270 MB';
  say(`Fetching ${requirement} with pip (${size}) …`);
  mkdirSync(folder, { recursive: true });
  const into = ['--target', join(folder, 'python'), '--no-compile', '--only-binary=:all:'];
  const quiet = ['--quiet', '--no-input', '--disable-pip-version-check', '--no-warn-conflicts'];
  const args = ['-m', 'pip', 'install', ...into, ...quiet];
  if (device === 'cpu') args.push('--no-deps');
  const what = `pip could not install ${requirement}`;
  const step = { cwd: folder, log, timeoutMs: 60 * 60_000 };
  try {
    runStep(what, python, [...args, requirement], step);
  } catch (error) {
    // None for this Python, perhaps. That is no obstacle, since nothing of it is run by Python.
    const printed = error instanceof SetupError ? String(error.cause) : '';
    if (!printed.includes('No matching distribution')) throw error;
    runStep(what, python, [...args, '--python-version', pythonOfWheels, requirement], step);
  }
}

/**
 * Compiles the addon of the package in `folder`, links it to `<folder>/python`, and drops from
 * there what is not needed any more.
 *
 * @param {Plan} plan
 * @param {string} folder
 * @param {string} log
 */
export function buildAddon({ packageName }, folder, log) {
  say('Building the addon …');
  const libraries = join(folder, 'python/tensorflow');
  const names = nameLibraries(libraries);
  const target = join(folder, 'node_modules', packageName);
  const deps = join(target, 'deps');
  rmSync(deps, { recursive: true, force: true });
  mkdirSync(deps);
  // Relative: the folder moves once all is well. A link to the folder of the libraries and not to
  // each: they look for those of CUDA relative to their own.
  symlinkSync(relative(deps, libraries), join(deps, 'lib'));
  symlinkSync(relative(deps, join(libraries, 'include')), join(deps, 'include'));

  const builder = join(folder, 'node_modules/@mapbox/node-pre-gyp/bin/node-pre-gyp');
  const args = [builder, 'install', '--build-from-source', ...findHeaders()];
  const step = { cwd: target, log, timeoutMs: 10 * 60_000 };
  runStep('The addon could not be built', process.execPath, args, step);

  rmSync(join(deps, 'include'));
  keepOnly(join(folder, 'python'), new Set(['tensorflow', 'nvidia']));
  keepOnly(libraries, new Set(names));
}

/** The linker looks for names without a version. @returns {string[]} what has to stay */
function nameLibraries(/** @type {string} */ libraries) {
  const versioned = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
  const names = ['libtensorflow.so', 'libtensorflow_framework.so'];
  for (const [index, library] of versioned.entries()) {
    if (!existsSync(join(libraries, library))) {
      throw new SetupError(`That TensorFlow has no ${library} to link with: try another version.`);
    }
    symlinkSync(library, join(libraries, /** @type {string} */ (names[index])));
  }
  return versioned;
}

/** Node.js's headers where they lie beside it; else node-gyp downloads them. */
function findHeaders() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

function keepOnly(/** @type {string} */ folder, /** @type {Set<string>} */ names) {
  for (const name of readdirSync(folder)) {
    if (!names.has(name)) rmSync(join(folder, name), { recursive: true });
  }
}
