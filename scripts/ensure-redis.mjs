// @ts-check

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { showStep, stepLine } from './show-installation.mjs';

/** Redis, or Valkey, which is Redis by another name. */
const servers = ['redis-server', 'valkey-server'];

/** The server on the PATH, if there is one. @returns {string | undefined} */
export function findRedisServer() {
  return servers.find((name) => spawnSync(name, ['--version']).status === 0);
}

/**
 * Makes sure that there is a Redis to use: `REDIS_URL`, else a server on the PATH, else one that
 * apt installs, where the user is root on Debian or Ubuntu. Else says what to install, and ends.
 *
 * @param {{ isQuiet: boolean }} options whether nothing is said of one that is there
 */
export function ensureRedis({ isQuiet }) {
  const there = process.env.REDIS_URL ? 'the one that REDIS_URL names' : describeFound();
  if (there) {
    if (!isQuiet) process.stderr.write(`${stepLine('Redis', there)}\n`);
    return;
  }
  if (isDebian() && process.getuid?.() === 0) {
    const done = showStep(process.stderr, 'Redis', 'none found: apt-get installs redis-server');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    // The package starts a service; the demo and the tests start servers of their own.
    const install = ['install', '-y', '-qq', '--no-install-recommends', 'redis-server'];
    spawnSync('apt-get', ['update', '-qq'], { env });
    const { status, stderr } = spawnSync('apt-get', install, { env, encoding: 'utf8' });
    done();
    if (status === 0 && findRedisServer()) return;
    process.stderr.write(stderr ?? '');
  }
  process.stderr.write(`Cutline needs Redis for its queues, and finds none.
${remedy()}
Without Redis, Cutline captions a folder all the same:
  npm install && npm run build && npx cutline caption ./my-photos
`);
  process.exit(1);
}

function describeFound() {
  const found = findRedisServer();
  return found && `${found} is on the PATH: one is started, and ends with this`;
}

function remedy() {
  const or = 'or set REDIS_URL to one that runs.';
  if (process.platform === 'darwin') return `Install it: brew install redis, ${or}`;
  if (process.platform === 'win32') {
    return `Run Cutline in WSL (wsl --install, then sudo apt install redis-server), ${or}`;
  }
  if (isDebian()) return `Install it: sudo apt-get install redis-server, ${or}`;
  if (existsSync('/etc/fedora-release')) return `Install it: sudo dnf install valkey, ${or}`;
  return `Install redis-server or valkey-server with your package manager, ${or}`;
}

function isDebian() {
  if (!existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
}
