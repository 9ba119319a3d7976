// @ts-check

import { connectRedis } from '@cutline/shared';
import { startPrivateRedis } from '../../scripts/private-redis.mjs';

/** @import { ChildProcesses } from '../../scripts/child-processes.mjs' */

/**
 * A private Redis on a free port, and a connection to ask it what it did.
 *
 * @param {ChildProcesses} children ends it
 */
export async function startRedis(children) {
  const url = await startPrivateRedis(children);
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
