import { Writable } from 'node:stream';
import { refuseUnknownVariables, runProgram } from '@cutline/shared/process';
import type { Environment, Finished } from './pipeline.ts';
import { keepSurroundings, releaseSurroundings } from './surroundings.ts';

/**
 * The command line in this process: the same program with the same arguments and environment, less
 * a start of Node.js and of all its modules. For tests of what a command does to a run; how it
 * reads its surroundings, and how it ends, is held by those that start it (command-line.test.ts).
 *
 * It takes over what there is one of in a process, so that one command runs at a time.
 */
let running: Promise<void> | undefined;

/** Whether a command runs, for which another would have to wait. */
export const isBusy = (): boolean => running !== undefined;

/**
 * @param env undefined takes a variable out of this process's environment, while the command runs
 * @param cwd the folder in which it runs
 */
export async function runInProcess(
  args: readonly string[],
  env: Environment,
  cwd = process.cwd(),
): Promise<Finished> {
  while (running) await running;
  let end = () => {};
  running = new Promise((resolve) => {
    end = resolve;
  });
  const own = keepSurroundings();
  const listeners = signals.map((signal) => process.listeners(signal));
  const exit = process.exit;
  const stdout = capture('stdout');
  const stderr = capture('stderr');
  setEnvironment(env);
  process.chdir(cwd);
  process.exit = throwExit;
  process.exitCode = undefined;
  try {
    const { createProgram } = await import('../../apps/cutline/dist/program.js');
    await runProgram('cutline', async () => {
      refuseUnknownVariables(process.env);
      await createProgram().parseAsync(args, { from: 'user' });
    }).catch(ignoreExit);
    const code = Number(process.exitCode ?? 0);
    return { code, stdout: stdout.read(), stderr: stderr.read() };
  } finally {
    stdout.stop();
    stderr.stop();
    process.exit = exit;
    process.exitCode = undefined;
    process.chdir(own.cwd);
    setEnvironment({ ...taken(env), ...own.env });
    releaseSurroundings();
    for (const [n, signal] of signals.entries()) {
      for (const listener of process.listeners(signal)) {
        if (!listeners[n]?.includes(listener)) process.off(signal, listener);
      }
    }
    running = undefined;
    end();
  }
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const taken = (env: Environment): Environment =>
  Object.fromEntries(Object.keys(env).map((name) => [name, undefined]));

function setEnvironment(env: Environment): void {
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}

/** In the place of a stream of this process: what the command leaves on it goes with it. */
function capture(name: 'stdout' | 'stderr'): { read(): string; stop(): void } {
  const chunks: Buffer[] = [];
  const own = Object.getOwnPropertyDescriptor(process, name) as PropertyDescriptor;
  const value = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(chunk);
      done();
    },
  });
  Object.defineProperty(process, name, { value, configurable: true });
  return {
    read: () => Buffer.concat(chunks).toString(),
    stop: () => void Object.defineProperty(process, name, own),
  };
}

class Exit extends Error {}

function throwExit(code: string | number | null = process.exitCode ?? 0): never {
  process.exitCode = code ?? 0;
  throw new Exit(`process.exit(${code})`);
}

function ignoreExit(error: unknown): void {
  if (!(error instanceof Exit)) throw error;
}
