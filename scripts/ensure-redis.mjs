// @ts-check

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Redis, or Valkey, which is Redis by another name. */
const servers = ['redis-server', 'valkey-server'];

/** The server on the PATH, if there is one. @returns {string | undefined} */
export function findRedisServer() {
  return servers.find((name) => spawnSync(name, ['--version']).status === 0);
}

/**
 * Makes sure that there is a Redis to use: `REDIS_URL`, else a server on the PATH, else one that
 * apt installs, where the user is root on Debian or Ubuntu. Else says what to install, and ends.
 */
export function ensureRedis() {
  if (process.env.REDIS_URL || findRedisServer()) return;
  if (isDebian() && process.getuid?.() === 0) {
    process.stderr.write('Installing redis-server with apt-get …\n');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    // The package starts a service; the demo and the tests start servers of their own.
    const install = ['install', '-y', '-qq', '--no-install-recommends', 'redis-server'];
    spawnSync('apt-get', ['update', '-qq'], { env });
    const { status, stderr } = spawnSync('apt-get', install, { env, encoding: 'utf8' });
    if (status === 0 && findRedisServer()) return;
    process.stderr.write(stderr);
  }
  process.stderr.write(`Cutline needs Redis for its queues, and finds none.\n${remedy()}\n`);
  process.exit(1);
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
