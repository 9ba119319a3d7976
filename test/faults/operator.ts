import { setTimeout as sleep } from 'node:timers/promises';
import { type RunState, RunStore, readRunState } from '@cutline/shared/run';
import type { Environment, Pipeline } from '../support/pipeline.ts';
import { type Process, stopProcess } from '../support/processes.ts';
import { last } from './crew.ts';
import type { World } from './world.ts';

/** Who begins the run, and resumes it until it is finished; it sees the output store itself. */
export class Operator {
  readonly run: string;
  readonly runStore: RunStore;
  readonly history: { name: string; process: Process; ended?: string }[] = [];
  readonly violations: string[] = [];
  /** The process that drives the run, for whoever is to kill it. */
  producer: Process | undefined;
  readonly #pipeline: Pipeline;
  readonly #env: Environment;
  readonly #runArgs: readonly string[];
  #isOver = false;
  readonly #beside = new Set<Promise<unknown>>();

  constructor({ pipeline, env, output }: World, run: string, batchSize: number) {
    this.run = run;
    this.runStore = new RunStore(output, '', run);
    this.#pipeline = pipeline;
    this.#env = env;
    this.#runArgs = [`s3://archive/${run}/`, '--run', run, '--batch-size', String(batchSize)];
  }

  /** Resolves when the run is finished, and nobody goes on with it. */
  async seeToEnd(): Promise<RunState> {
    for (;;) {
      while (this.#beside.size > 0) await Promise.all(this.#beside);
      const state = await this.#state();
      if (state?.summary) return state;
      await this.drive(state ? ['resume', this.run] : ['run', ...this.#runArgs]);
      await sleep(againMs);
    }
  }

  /** A command that drives the run. @returns its status */
  async drive(args: readonly string[]): Promise<number | null> {
    this.producer = await this.#start(args);
    const { code } = await this.producer.exited;
    return code;
  }

  /** A command at the side of what goes on. */
  beside(...args: string[]): void {
    const done = this.#start(args).then(({ exited }) => exited);
    const entry = done
      .catch(() => {}) // a round that is over starts nobody
      .finally(() => this.#beside.delete(entry));
    this.#beside.add(entry);
  }

  /** Leaves nobody behind, and lets nobody follow. */
  async stop(): Promise<void> {
    this.#isOver = true;
    const left = this.history.filter(({ ended }) => ended === undefined);
    await Promise.all(left.map(({ process }) => stopProcess(process, 0)));
  }

  async #start(args: readonly string[]): Promise<Process> {
    if (this.#isOver) throw new Error('The round is over');
    const process = await this.#pipeline.startCutline(args, this.#env);
    const entry: Operator['history'][number] = { name: `cutline ${args[0]}`, process };
    this.history.push(entry);
    void process.exited.then(({ code, signal }) => {
      entry.ended = signal ?? `status ${code}`;
      if (code === 1) this.violations.push(`${entry.name} ended with status 1: ${last(process)}`);
    });
    return process;
  }

  async #state(): Promise<RunState | undefined> {
    if (!(await this.runStore.exists())) return undefined;
    return readRunState(this.runStore);
  }
}

/** How soon a person, or a script, tries again. */
const againMs = 300;
