// @ts-check

import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { connectRedis } from '@cutline/pipeline';
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
      // By hand: ioredis fails when commands of others come in one packet with MONITOR's "OK".
      const monitor = connect(Number(new URL(url).port), '127.0.0.1');
      const lines = createInterface({ input: monitor });
      let commands = 0;
      const listening = once(lines, 'line');
      lines.on('line', (line) => {
        // +1795384934.546503 [0 127.0.0.1:33820] "info", or [0 lua] for what a script calls.
        if (/^\+[\d.]+ \[\d+ (?!lua\])/.test(line)) commands += 1;
      });
      monitor.write('MONITOR\r\n');
      await listening;
      try {
        return { result: await work(), commands };
      } finally {
        monitor.destroy();
      }
    },
  };
}
