// @ts-check

/**
 * What `npm run demo`, `npm test` and `npm run bench` start with, on a machine with nothing but
 * Node.js: see to Redis, install packages where they are missing or stale, build, then hand over
 * to the task. What takes long says what it does; a second start has nothing of it to do, and says
 * nothing.
 *
 *     node scripts/bootstrap.mjs demo [folder]
 *     node scripts/bootstrap.mjs test [vitest arguments]
 *     node scripts/bootstrap.mjs bench [flags]
 *     node scripts/bootstrap.mjs setup-tensorflow [flags]
 *
 * It has no dependencies, since it runs before there are any.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensureRedis } from './ensure-redis.mjs';
import { beforeInterruption, endOnSignals } from './interruption.mjs';
import { announceInstallation, showStep } from './show-installation.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const nodeWanted = [20, 15];

endOnSignals();
checkNode();
const [task, ...args] = process.argv.slice(2);
const isInstalled = readStamp() === stampWanted();
if (!isInstalled) process.stderr.write(announceInstallation(task));
if (task !== 'setup-tensorflow') ensureRedis({ isQuiet: isInstalled });
if (!isInstalled) await installPackages();
await build();
const { main } = await import(`./${task}.mjs`);
process.exitCode = await main(args);

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > nodeWanted[0] || (major === nodeWanted[0] && minor >= nodeWanted[1])) return;
  fail(`Cutline needs Node.js ${nodeWanted.join('.')} or newer; this is ${process.versions.node}.`);
}

/** `npm ci` leaves a stamp of the lock file it installed; another lock file means another install. */
function stampPath() {
  return `${root}node_modules/.cutline-installed`;
}

function readStamp() {
  return existsSync(stampPath()) ? readFileSync(stampPath(), 'utf8') : undefined;
}

function stampWanted() {
  return createHash('sha256')
    .update(readFileSync(`${root}package-lock.json`))
    .update(`${process.platform} ${process.arch} ${process.versions.modules}`)
    .digest('hex');
}

async function installPackages() {
  const npm = process.env.npm_execpath ?? '';
  const [command, ...first] = npm.endsWith('.js') ? [process.execPath, npm] : ['npm'];
  const flags = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const done = showStep(process.stderr, 'packages', 'npm puts them into node_modules/');
  await run('npm ci', command, [...first, ...flags]);
  done();
  writeFileSync(stampPath(), stampWanted());
}

async function build() {
  const done = isInstalled ? () => {} : showStep(process.stderr, 'build', 'from TypeScript');
  await run('build', process.execPath, ['node_modules/typescript/bin/tsc', '-b']);
  done();
}

/**
 * Runs a step in silence; what it printed matters only when it fails.
 *
 * @param {string} name
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<void>}
 */
function run(name, command, args) {
  const isWindows = process.platform === 'win32';
  const shell = isWindows && command === 'npm';
  // npm starts others: in a group of their own they can be ended with it.
  const child = spawn(command, args, { cwd: root, shell, detached: !isWindows });
  const forget = beforeInterruption(() => {
    if (isWindows) child.kill();
    else if (child.pid) process.kill(-child.pid, 'SIGKILL');
    process.stderr.write('\nStopped; the next start does this again from the beginning.\n');
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
  }
  return new Promise((resolve) => {
    child.on('error', (error) => fail(`${name} failed:\n${error}`));
    child.on('close', (status) => {
      forget();
      if (status !== 0) fail(`\n${name} failed:\n${printed}`);
      resolve();
    });
  });
}

/** @returns {never} */
function fail(/** @type {string} */ message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
