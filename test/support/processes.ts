import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { failOnLeak } from './fail-on-leaks.ts';
import { surroundings } from './surroundings.ts';

/** A child process that a test watches and that does not outlive it. */
export interface Process {
  readonly pid: number;
  /** Lines so far, without their ends; they grow as the process writes. */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /**
   * The match in the first line, of stdout or stderr, past or to come, that matches.
   * @throws Error with the last lines, at the deadline or when the process ends without one.
   */
  waitForLine(pattern: RegExp, deadlineMs: number): Promise<RegExpExecArray>;
  /** Signals the process alone: what it started has to be ended by it. SIGTERM by default. */
  kill(signal?: NodeJS.Signals): void;
  /** Settles when the process has ended and all its output was read. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface ProcessOptions {
  command: string;
  args?: readonly string[];
  /** Added to this process's environment; undefined takes a variable out of it. */
  env?: Record<string, string | undefined>;
  cwd?: string;
}

/** @throws Error where the command cannot be started; its `code` is ENOENT where it is missing. */
export async function startProcess(options: ProcessOptions): Promise<Process> {
  const { command, args = [], env = {} } = options;
  const own = surroundings();
  const child = spawn(command, args, {
    cwd: options.cwd ?? own.cwd,
    env: { ...own.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that at the end its children can be killed with it.
    detached: true,
  });
  await new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  killAtExit(child);

  const stdout: string[] = [];
  const stderr: string[] = [];
  const watchers = new Set<(line: string) => void>();
  const collect = (stream: Readable, lines: string[]) =>
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      lines.push(line);
      failOnLeak(line);
      for (const watch of watchers) watch(line);
    });
  collect(child.stdout, stdout);
  collect(child.stderr, stderr);
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });

  const describe = () =>
    `${command} ${args.join(' ')}\nstdout:\n${stdout.slice(-20).join('\n')}\n` +
    `stderr:\n${stderr.slice(-20).join('\n')}`;

  return {
    pid: child.pid as number,
    stdout,
    stderr,
    exited,
    kill: (signal = 'SIGTERM') => void child.kill(signal),
    waitForLine: (pattern, deadlineMs) =>
      new Promise((resolve, reject) => {
        const settle = (result: RegExpExecArray | Error) => {
          clearTimeout(timer);
          watchers.delete(watch);
          if (result instanceof Error) reject(result);
          else resolve(result);
        };
        const watch = (line: string) => {
          const match = pattern.exec(line);
          if (match) settle(match);
        };
        const fail = (why: string) => settle(new Error(`No line ${pattern} ${why}: ${describe()}`));
        const timer = setTimeout(() => fail(`in ${deadlineMs} ms`), deadlineMs);
        watchers.add(watch);
        for (const line of [...stdout, ...stderr]) watch(line);
        void exited.then(({ code, signal }) =>
          fail(`before the process ended (${signal ?? code})`),
        );
      }),
  };
}

/** Ends a process: SIGTERM, then SIGKILL after `graceMs`. Ended already is fine. */
export async function stopProcess(running: Process, graceMs = 5_000): Promise<void> {
  running.kill('SIGCONT'); // one that is paused would not see SIGTERM
  running.kill('SIGTERM');
  const timer = setTimeout(() => running.kill('SIGKILL'), graceMs);
  await running.exited;
  clearTimeout(timer);
}

const alive = new Set<ChildProcess>();

/** Whatever a test forgets, or cannot do because it failed or hangs. */
function killAtExit(child: ChildProcess): void {
  if (alive.size === 0) {
    process.once('exit', killAll);
    // Vitest ends a worker that hangs by SIGTERM, upon which there is no 'exit' event.
    process.once('SIGTERM', killAllAndEnd);
  }
  alive.add(child);
  child.once('exit', () => {
    alive.delete(child);
    if (alive.size > 0) return;
    process.off('exit', killAll);
    process.off('SIGTERM', killAllAndEnd);
  });
}

function killAllAndEnd(): void {
  killAll();
  process.kill(process.pid, 'SIGTERM'); // without this listener now, so it ends the process
}

function killAll(): void {
  for (const { pid } of alive) {
    try {
      process.kill(-(pid as number), 'SIGKILL'); // the whole group
    } catch {
      // It ended by itself in this moment.
    }
  }
}
