// @ts-check

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** @import { Readable } from 'node:stream' */
/** @import { Summary } from '@cutline/shared/run' */

const program = fileURLToPath(import.meta.resolve('@cutline/producer'));
const preload = new URL('./report-cpu-time.mjs', import.meta.url).href;

/**
 * One run of the pipeline, as users start it.
 *
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ summary: Summary, cpuSeconds: number }>} the producer's CPU time, from
 *   when it is loaded to its end
 */
export async function runProducer(args, env) {
  const child = spawn(process.execPath, ['--import', preload, program, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  const closed = new Promise((resolve) => child.once('close', resolve));
  const [out, complaints, cpuSeconds] = await Promise.all(
    child.stdio.slice(1).map((stream) => text(/** @type {Readable} */ (stream))),
  );
  const status = await closed;
  process.off('exit', kill);
  if (status !== 0) throw new Error(`the producer ended with status ${status}\n${complaints}`);
  return { summary: JSON.parse(out ?? ''), cpuSeconds: Number(cpuSeconds) };
}
