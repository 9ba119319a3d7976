// @ts-check

/**
 * The npm side: the package from the registry, and its own download of a compiled addon and of
 * TensorFlow.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runStep, say } from './run-step.mjs';

/** @typedef {import('./plan.mjs').Plan} Plan */

/**
 * Installs the package without running its script. It is to use the project's tfjs-core, which
 * Node.js finds in a folder above, once there is none beside it.
 *
 * @param {Plan} plan
 * @param {string} folder
 * @param {string} log
 */
export function putPackage({ packageName, packageVersion }, folder, log) {
  if (existsSync(join(folder, 'node_modules', packageName))) return;
  say(`Installing ${packageName} ${packageVersion} …`);
  mkdirSync(folder, { recursive: true });
  const manifest = { private: true, dependencies: { [packageName]: packageVersion } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  const [command, ...first] = findNpm();
  const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  const args = [...first, 'install', '--prefix', folder, '--ignore-scripts', ...quiet];
  const step = { cwd: folder, log, timeoutMs: 10 * 60_000 };
  runStep(`npm could not install ${packageName}`, command, args, step);
  rmSync(join(folder, 'node_modules/@tensorflow/tfjs-core'), { recursive: true, force: true });
}

/**
 * @param {Plan} plan
 * @param {string} folder
 * @param {string} log
 */
export function download({ packageName }, folder, log) {
  say('Trying its own download of TensorFlow …');
  const [command, ...first] = findNpm();
  // Said here, since what started this may have been told to be silent (`npm run --silent`).
  const aloud = ['--ignore-scripts=false', '--loglevel=error'];
  const args = [...first, 'rebuild', packageName, '--prefix', folder, ...aloud];
  const step = { cwd: folder, log, timeoutMs: 20 * 60_000 };
  runStep('The package’s own download failed', command, args, step);
}

/** As it was started, else as it is on the PATH. @returns {[string, ...string[]]} */
function findNpm() {
  const { npm_execpath: npm = '' } = process.env;
  return npm.endsWith('.js') ? [process.execPath, npm] : ['npm'];
}
