// @ts-check

import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { findRedisServer } from './ensure-redis.mjs';

/** @import { ChildProcesses } from './child-processes.mjs' */

/**
 * Starts a Redis of one's own: on a free port of this machine, without persistence, `noeviction`.
 *
 * @param {ChildProcesses} children ends it
 * @returns {Promise<string>} its URL
 */
export async function startPrivateRedis(children) {
  const port = await freePort();
  // biome-ignore format: a flag and its value
  const args = [
    '--port', String(port), '--bind', '127.0.0.1', '--dir', tmpdir(),
    '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction',
  ];
  await children.start('Redis', findRedisServer() ?? 'redis-server', args, {
    ready: /Ready to accept connections/,
    deadlineMs: 10_000,
  });
  return `redis://127.0.0.1:${port}`;
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
