import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Environment, Pipeline } from './pipeline.ts';
import { type Process, startProcess } from './processes.ts';
import { runInProcess } from './run-in-process.ts';
import { writeTinyBundle } from './tiny-bundle.ts';

/** Programs that are configured wrongly, and how they say so. */

const programs = {
  cutline: 'cutline/bin/cutline.js',
  producer: 'producer/dist/main.js',
  'encoder-worker': 'encoder-worker/dist/main.js',
  'decoder-worker': 'decoder-worker/dist/main.js',
  'captioner-worker': 'captioner-worker/dist/main.js',
};
export type Program = keyof typeof programs;

/** A place to start programs in: nothing of the developer's own environment reaches them. */
export interface Workplace {
  readonly folder: string;
  /** With all that a program needs; a case takes something away or changes it. */
  readonly environment: Environment;
  start(program: Program, args: readonly string[], env?: Environment): Promise<Process>;
  /**
   * The program ends with one line that says what to do, and with status 2: in words, or as an
   * event of its log. What else it logged was no cause for concern.
   */
  expectRefusal(
    program: Program,
    args: readonly string[],
    env: Environment,
    message: RegExp,
  ): Promise<void>;
  /** A tiny model in a folder of that name; another family or seed makes it another model. */
  writeBundle(name: string, model?: { family?: string; seed?: number }): Promise<string>;
  remove(): Promise<void>;
}

/** What a case takes away, or changes, and what the program has to say to it. */
export type Case = [
  what: string,
  program: Program,
  args: string[],
  env: Environment,
  message: RegExp,
];

export async function createWorkplace(pipeline: Pipeline): Promise<Workplace> {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-workplace-'));
  const writeBundle: Workplace['writeBundle'] = (name, model) =>
    writeTinyBundle(join(folder, name), model);
  const environment: Environment = {
    ...Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined])),
    PATH: process.env.PATH,
    HOME: folder,
    AWS_ENDPOINT_URL_S3: pipeline.proxy.endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test-secret',
    AWS_EC2_METADATA_DISABLED: 'true', // to find out that there are no credentials takes a while
    REDIS_URL: pipeline.redis.url,
    CUTLINE_HTTP_PORT: '0',
    CUTLINE_HTTP_HOST: '127.0.0.1',
    CUTLINE_THREADS: '1',
    CUTLINE_MODEL: await writeBundle('right'),
  };
  const start: Workplace['start'] = (program, args, env = {}) =>
    startProcess({
      command: process.execPath,
      args: [fileURLToPath(new URL(`../../apps/${programs[program]}`, import.meta.url)), ...args],
      env: { ...environment, ...env },
      cwd: folder,
    });
  /** `cutline` in this process: that it is the same as one is shown by command-line.test.ts. */
  const end = async (program: Program, args: readonly string[], env: Environment) => {
    if (program === 'cutline') {
      const { code, ...said } = await runInProcess(args, { ...environment, ...env }, folder);
      return { code, stdout: linesOf(said.stdout), stderr: linesOf(said.stderr) };
    }
    const { exited, stdout, stderr } = await start(program, args, env);
    return { ...(await exited), stdout, stderr };
  };
  return {
    folder,
    environment,
    start,
    writeBundle,
    remove: () => rm(folder, { recursive: true, force: true }),
    async expectRefusal(program, args, env, message) {
      const { code, stdout, stderr } = await end(program, args, env);
      const said = program === 'cutline' ? wordsOf(stderr) : concernsOf(program, stderr);
      expect(said).toEqual([expect.stringMatching(message)]);
      expect(said[0]?.length).toBeLessThan(400); // a sentence or two
      expect(code).toBe(2);
      expect(stdout).toEqual([]);
    },
  };
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

function wordsOf(stderr: readonly string[]): string[] {
  return stderr.map((line) => {
    expect(line).toMatch(/^cutline: /);
    return line.replace('cutline: ', '');
  });
}

/** What a program logged that is more than information; its log is JSON alone. */
function concernsOf(program: Program, stderr: readonly string[]): string[] {
  return stderr
    .map((line) => JSON.parse(line))
    .filter(({ level }) => level !== 'info')
    .map((event) => {
      expect(event).toMatchObject({ level: 'fatal', process: program });
      return event.msg;
    });
}
