// @ts-check

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * The processes that a script starts. They end with it: in good order at its end, and at once when
 * it is interrupted.
 */
export class ChildProcesses {
  /** @type {import('node:child_process').ChildProcess[]} */
  #running = [];
  #isEnding = false;

  constructor() {
    process.once('exit', () => {
      for (const child of this.#running) child.kill('SIGKILL');
    });
  }

  /**
   * Starts a process in the background and waits until one of its lines says that it is ready.
   *
   * @param {string} name
   * @param {string} command
   * @param {string[]} args
   * @param {{ env?: NodeJS.ProcessEnv, ready: RegExp, deadlineMs?: number }} options
   * @returns {Promise<string>} the line
   */
  start(name, command, args, { env, ready, deadlineMs = 60_000 }) {
    const child = this.#spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    /** @type {string[]} */
    const lines = [];
    return new Promise((resolve, reject) => {
      const fail = (/** @type {string} */ why) =>
        reject(new Error([`${name} ${why}`, ...lines.slice(-10)].join('\n')));
      const timer = setTimeout(() => fail('did not become ready in time'), deadlineMs);
      for (const stream of [child.stdout, child.stderr].filter((each) => each !== null)) {
        createInterface({ input: stream }).on('line', (line) => {
          lines.push(line);
          if (lines.length > 100) lines.shift();
          if (!ready.test(line)) return;
          clearTimeout(timer);
          resolve(line);
        });
      }
      child.on('error', (error) => fail(`could not be started: ${error.message}`));
      child.on('close', (code) => {
        clearTimeout(timer);
        if (!this.#isEnding) fail(`ended with status ${code}`);
      });
    });
  }

  /**
   * Runs a process to its end, on this terminal.
   *
   * @param {string} command
   * @param {string[]} args
   * @param {{ env?: NodeJS.ProcessEnv }} options
   * @returns {Promise<number>} its exit status
   */
  run(command, args, { env }) {
    const child = this.#spawn(command, args, { env, stdio: 'inherit' });
    return new Promise((resolve) => {
      child.on('close', (code) => {
        if (!this.#isEnding) resolve(code ?? 1);
      });
    });
  }

  /** Asks all to stop, newest first, and waits until they have. */
  async stopAll() {
    for (const child of this.#running.toReversed()) {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await closed;
      clearTimeout(timer);
    }
  }

  /**
   * Kills all, and waits until they are gone. Whoever waits for one of them waits for ever: the
   * script ends, and must not take this for news.
   */
  async endAtOnce() {
    this.#isEnding = true;
    const isThere = (/** @type {import('node:child_process').ChildProcess} */ child) =>
      child.exitCode === null && child.signalCode === null;
    const gone = this.#running.filter(isThere).map((child) => {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      return exited;
    });
    await Promise.all(gone);
  }

  /**
   * @param {string} command
   * @param {string[]} args
   * @param {import('node:child_process').SpawnOptions} options
   */
  #spawn(command, args, options) {
    const child = spawn(command, args, options);
    this.#running.push(child);
    child.once('close', () => {
      this.#running = this.#running.filter((other) => other !== child);
    });
    return child;
  }
}
