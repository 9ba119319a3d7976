import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ObjectStore, openStore } from '@cutline/shared/stores';
import { tinyBundleFiles } from '../../packages/captioner/test/support/tiny-model.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { type Process, startProcess, stopProcess } from './processes.ts';
import { type RedisServer, startRedis } from './redis-server.ts';
import { isBusy, runInProcess } from './run-in-process.ts';
import { type RunResults, readResults } from './run-results.ts';
import { type S3Server, s3Access, startS3 } from './s3-server.ts';
import { type Scrape, scrape } from './scrape.ts';
import { surroundings } from './surroundings.ts';

/**
 * Cutline as its users run it: its programs as processes, a Redis and an S3 server, each of the
 * test file's own. The programs reach the S3 server through a fault proxy; `source` and `output`
 * go straight to it. The model is a tiny random one unless the shipped one is asked for: what is
 * tested is what becomes of images, hundreds a second of them.
 */
export interface Pipeline {
  readonly redis: RedisServer;
  readonly s3: S3Server;
  readonly proxy: FaultProxy;
  /** The bucket of images: `s3://archive`. */
  readonly source: ObjectStore;
  /** The bucket of results: `s3://captions`, where every command looks unless told otherwise. */
  readonly output: ObjectStore;
  /** Puts images, or whatever their bytes are, under a prefix. */
  upload(images: Iterable<readonly [key: string, bytes: Buffer]>, prefix?: string): Promise<void>;
  /** Resolves when the worker takes jobs. */
  startWorker(name: WorkerName, env?: Environment): Promise<WorkerProcess>;
  startProducer(args: readonly string[], env?: Environment): Promise<Process>;
  /** A worker that may not come to be ready. */
  launchWorker(name: WorkerName, env?: Environment): Promise<Process>;
  startCutline(args: readonly string[], env?: Environment): Promise<Process>;
  /** Runs the command line, as a process, to its end. */
  cutline(...args: string[]): Promise<Finished>;
  /**
   * The same in this process, where a test wants what the command does or says; where one runs here
   * already, in one of its own.
   */
  call(...args: string[]): Promise<Finished>;
  /** The same, where status 0 is expected. @throws Error where it ends with another */
  succeed(...args: string[]): Promise<Omit<Finished, 'code'>>;
  /** The same, where it is refused: with status 2 and one line. @returns that line */
  refuse(...args: string[]): Promise<string>;
  results(run: string): Promise<RunResults>;
  /** What `cutline status --json` says of a run. */
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it looks at
  status(run: string): Promise<any>;
  /** Ends all that was started. */
  stop(): Promise<void>;
}

export type WorkerName = 'encoder-worker' | 'decoder-worker' | 'captioner-worker';
export type Environment = Record<string, string | undefined>;

export interface WorkerProcess extends Process {
  /** What /metrics says now. */
  scrape(): Promise<Scrape>;
}

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** On a busy machine, a worker takes a while to load its model. */
const readyDeadlineMs = 90_000;

export interface PipelineOptions {
  /** Default: `tiny`. */
  model?: 'tiny' | 'shipped';
  /** For all programs. */
  env?: Environment;
  /** More of Redis's own. */
  redisArgs?: readonly string[];
}

export async function startPipeline(options: PipelineOptions = {}): Promise<Pipeline> {
  const { model = 'tiny', env = {}, redisArgs = [] } = options;
  const folder = await mkdtemp(join(tmpdir(), 'cutline-pipeline-'));
  const redis = await startRedis({ args: redisArgs });
  const s3 = await startS3();
  const proxy = await startFaultProxy(s3.endpoint);
  const source = await openStore(s3.createBucket('archive'), s3.config);
  const output = await openStore(s3.createBucket('captions'), s3.config);
  const environment: Environment = {
    ...withoutSettings(surroundings().env),
    ...s3Access(proxy.endpoint).env,
    AWS_REGION: 'us-east-1',
    REDIS_URL: redis.url,
    CUTLINE_OUTPUT: output.url,
    CUTLINE_HTTP_PORT: '0',
    CUTLINE_HTTP_HOST: '127.0.0.1',
    CUTLINE_THREADS: '1', // two workers, two cores
    ...(model === 'tiny' && { CUTLINE_MODEL: await writeTinyBundle(folder) }),
    ...env,
  };
  const running = new Set<Process>();
  const startNode = async (script: string, args: readonly string[], more: Environment = {}) => {
    const started = await startProcess({
      command: process.execPath,
      args: [fileURLToPath(new URL(`../../apps/${script}`, import.meta.url)), ...args],
      env: { ...environment, ...more },
    });
    running.add(started);
    void started.exited.then(() => running.delete(started));
    return started;
  };
  const launchWorker: Pipeline['launchWorker'] = (name, more) =>
    startNode(`${name}/dist/main.js`, [], more);
  const startCutline: Pipeline['startCutline'] = (args, more) =>
    startNode('cutline/bin/cutline.js', args, more);
  const cutline: Pipeline['cutline'] = async (...args) => {
    const { exited, stdout, stderr } = await startCutline(args);
    const { code } = await exited;
    return { code, stdout: stdout.join('\n'), stderr: stderr.join('\n') };
  };

  const call: Pipeline['call'] = async (...args) => {
    const ended = isBusy() ? await cutline(...args) : await runInProcess(args, environment);
    const withoutEnd = (text: string) => text.replace(/\n$/, '');
    return { ...ended, stdout: withoutEnd(ended.stdout), stderr: withoutEnd(ended.stderr) };
  };
  const succeed: Pipeline['succeed'] = async (...args) => {
    const { code, stdout, stderr } = await call(...args);
    if (code === 0) return { stdout, stderr };
    throw new Error(`cutline ${args.join(' ')} ended with status ${code} and not 0:\n${stderr}`);
  };

  return {
    redis,
    s3,
    proxy,
    source,
    output,
    async upload(images, prefix = '') {
      const left = [...images];
      while (left.length > 0) {
        const some = left.splice(0, 64);
        await Promise.all(some.map(([key, bytes]) => source.put(prefix + key, bytes)));
      }
    },
    launchWorker,
    async startWorker(name, more) {
      const worker = await launchWorker(name, more);
      const [, port] = await worker.waitForLine(/"httpPort":(\d+),"msg":"ready/, readyDeadlineMs);
      return { ...worker, scrape: () => scrape(Number(port)) };
    },
    startProducer: (args, more) => startNode('producer/dist/main.js', args, more),
    startCutline,
    cutline,
    call,
    succeed,
    async refuse(...args) {
      const { code, stdout, stderr } = await call(...args);
      if (code === 2 && stdout === '' && !stderr.includes('\n')) return stderr;
      const said = `${stdout}\n${stderr}`;
      throw new Error(`cutline ${args.join(' ')} ended with status ${code}, and said:\n${said}`);
    },
    results: (run) => readResults(output, run),
    status: async (run) => JSON.parse((await succeed('status', run, '--json')).stdout),
    async stop() {
      await Promise.all([...running].map((each) => stopProcess(each, 0)));
      source.close();
      output.close();
      await proxy.stop();
      await s3.stop();
      await redis.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A model that makes up captions of seven words, and needs milliseconds for it. */
async function writeTinyBundle(folder: string): Promise<string> {
  const words = ['a', 'boat', 'dog', 'in', 'on', 'snow', 'the'];
  for (const [name, bytes] of tinyBundleFiles('show-attend-tell', words)) {
    await writeFile(join(folder, name), bytes);
  }
  return folder;
}

/**
 * Waits for a process to end with status 0.
 * @throws Error with the last lines that it printed, when it ends otherwise.
 */
export async function untilDone({ exited, stdout, stderr }: Process): Promise<void> {
  const { code, signal } = await exited;
  if (code === 0) return;
  const printed = [...stderr.slice(-10), ...stdout.slice(-10)].join('\n');
  throw new Error(`A process ended with ${signal ?? `status ${code}`} and not 0:\n${printed}`);
}

/** What the developer's shell sets must not decide how tests end. */
function withoutSettings(environment: NodeJS.ProcessEnv): Environment {
  const foreign = /^(CUTLINE_|AWS_|REDIS_URL$|FEATURES_REDIS_URL$|LOG_LEVEL$)/;
  return Object.fromEntries(
    Object.keys(environment)
      .filter((name) => foreign.test(name))
      .map((name) => [name, undefined]),
  );
}
