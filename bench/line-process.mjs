// @ts-check

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * A child process that is asked and answers in lines of JSON, over stdin and stdout. Its first
 * line, unasked, says that it is ready, or why it cannot be. Programs in Node.js and in Python
 * speak it alike (serve-lines.mjs, peers/serve_lines.py), so that all can be measured in turn.
 */
export class LineProcess {
  /** @type {import('node:child_process').ChildProcessWithoutNullStreams} */
  #child;
  /** @type {{ resolve: (line: any) => void, reject: (error: Error) => void } | undefined} */
  #waiting;
  /** @type {string[]} */
  #complaints = [];
  /** @type {Error | undefined} */
  #ended;
  /** @type {Promise<void>} */
  #closed;
  #killAtExit = () => void this.#child.kill('SIGKILL');

  /**
   * @param {string} command
   * @param {string[]} args
   * @param {{ env?: NodeJS.ProcessEnv }} [options]
   */
  constructor(command, args, { env } = {}) {
    this.#child = spawn(command, args, { env });
    process.once('exit', this.#killAtExit);
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#hear(line));
    createInterface({ input: this.#child.stderr }).on('line', (line) => {
      this.#complaints.push(line);
      if (this.#complaints.length > 20) this.#complaints.shift();
    });
    this.#child.stdin.on('error', () => {}); // it has ended, which is noticed below
    this.#closed = new Promise((resolve) => {
      const end = (/** @type {string} */ why) => {
        this.#ended ??= new Error([why, ...this.#complaints].join('\n'));
        this.#waiting?.reject(this.#ended);
        process.off('exit', this.#killAtExit);
        resolve();
      };
      this.#child.once('error', (error) => end(`${command} cannot be started: ${error.message}`));
      this.#child.once('close', (code, signal) => end(`${command} ended with ${signal ?? code}`));
    });
  }

  /** The line that it says first. @returns {Promise<any>} */
  first() {
    return this.#next();
  }

  /**
   * @param {object} request
   * @returns {Promise<any>} the answer
   * @throws Error with what the process said last, where it fails or ends
   */
  async ask(request) {
    const answer = this.#next();
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { error, ...rest } = await answer;
    if (error !== undefined) throw new Error(error);
    return rest;
  }

  /** Ends it: it stops at the end of its stdin. */
  async stop() {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await this.#closed;
    clearTimeout(timer);
  }

  /** @returns {Promise<any>} */
  #next() {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** @param {string} line */
  #hear(line) {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    try {
      waiting?.resolve(JSON.parse(line));
    } catch {
      waiting?.reject(new Error(`expected a line of JSON, got: ${line.slice(0, 200)}`));
    }
  }
}
