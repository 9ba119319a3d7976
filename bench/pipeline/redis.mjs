// @ts-check

import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { connectRedis } from '@cutline/shared';
import { findRedisServer } from '../../scripts/ensure-redis.mjs';

/** @import { ChildProcesses } from '../../scripts/child-processes.mjs' */

/**
 * A private Redis on a free port, and a connection to ask it what it did.
 *
 * @param {ChildProcesses} children ends it
 */
export async function startRedis(children) {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  // biome-ignore format: a flag and its value
  const args = [
    '--port', String(port), '--bind', '127.0.0.1', '--dir', tmpdir(),
    '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction',
  ];
  await children.start('Redis', findRedisServer() ?? 'redis-server', args, {
    ready: /Ready to accept connections/,
    deadlineMs: 10_000,
  });
  const redis = await connectRedis(url);

  return {
    url,
    redis,

    /** What it did so far. */
    async costs() {
      const info = await redis.info();
      const value = (/** @type {string} */ name) =>
        Number(new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]);
      return {
        /** Commands, and what scripts call. */
        calls: value('total_commands_processed'),
        bytes: value('total_net_input_bytes') + value('total_net_output_bytes'),
        cpuSeconds: value('used_cpu_sys') + value('used_cpu_user'),
      };
    },

    /**
     * How many commands clients send while `work` goes on: without what scripts call, which INFO
     * counts with them. MONITOR makes Redis write out all data, so nothing else is measured then.
     *
     * @template T
     * @param {() => Promise<T>} work
     * @returns {Promise<{ result: T, commands: number }>}
     */
    async countCommands(work) {
      const monitor = await redis.monitor();
      let commands = 0;
      monitor.on('monitor', (_time, _args, source) => {
        if (source !== 'lua') commands += 1;
      });
      try {
        return { result: await work(), commands };
      } finally {
        monitor.disconnect();
      }
    },
  };
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
