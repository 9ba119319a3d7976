// @ts-check

/**
 * What `npm run demo`, `npm test` and `npm run bench` start with, on a machine with nothing but
 * Node.js: install packages where they are missing or stale, build, see to Redis, then hand over
 * to the task.
 *
 *     node scripts/bootstrap.mjs demo [folder]
 *     node scripts/bootstrap.mjs test [vitest arguments]
 *     node scripts/bootstrap.mjs bench [flags]
 *     node scripts/bootstrap.mjs setup-tensorflow [flags]
 *
 * It has no dependencies, since it runs before there are any.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensureRedis } from './ensure-redis.mjs';
import { endOnSignals } from './interruption.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const nodeWanted = [20, 15];

endOnSignals();
checkNode();
installPackages();
run('build', process.execPath, ['node_modules/typescript/bin/tsc', '-b']);
const [task, ...args] = process.argv.slice(2);
if (task !== 'setup-tensorflow') ensureRedis();
const { main } = await import(`./${task}.mjs`);
process.exitCode = await main(args);

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > nodeWanted[0] || (major === nodeWanted[0] && minor >= nodeWanted[1])) return;
  fail(`Cutline needs Node.js ${nodeWanted.join('.')} or newer; this is ${process.versions.node}.`);
}

/** `npm ci` leaves a stamp of the lock file it installed; another lock file means another install. */
function installPackages() {
  const stampPath = `${root}node_modules/.cutline-installed`;
  const lock = createHash('sha256')
    .update(readFileSync(`${root}package-lock.json`))
    .update(`${process.platform} ${process.arch} ${process.versions.modules}`)
    .digest('hex');
  if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === lock) return;
  process.stderr.write('Installing packages (once, half a minute or so) …\n');
  const npm = process.env.npm_execpath ?? '';
  const [command, ...first] = npm.endsWith('.js') ? [process.execPath, npm] : ['npm'];
  run('npm ci', command, [...first, 'ci', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(stampPath, lock);
}

/** Runs a step in silence; what it printed matters only when it fails. */
function run(
  /** @type {string} */ name,
  /** @type {string} */ command,
  /** @type {string[]} */ args,
) {
  const shell = process.platform === 'win32' && command === 'npm';
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    shell,
  });
  if (status !== 0) fail(`${name} failed:\n${error ?? ''}${stdout}${stderr}`);
}

/** @returns {never} */
function fail(/** @type {string} */ message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
