import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment, Pipeline, WorkerName } from '../support/pipeline.ts';
import { type Process, stopProcess } from '../support/processes.ts';

/** Workers as a supervisor keeps them: whoever ends is replaced. */
export class Crew {
  readonly #members: Member[] = [];
  #isOver = false;

  /** Everybody who ever was in it, with how they ended, if they have. */
  readonly history: { name: string; process: Process; ended?: string }[] = [];
  /** Ends that no fault explains. */
  readonly violations: string[] = [];

  constructor(pipeline: Pipeline, env: Environment, sizes: Record<WorkerName, number>) {
    for (const name of Object.keys(sizes) as WorkerName[]) {
      for (let i = 1; i <= sizes[name]; i++) {
        const member: Member = { name: `${name} ${i}`, process: undefined };
        this.#members.push(member);
        void this.#keep(member, () => pipeline.launchWorker(name, env));
      }
    }
  }

  /** Undefined in the moment between an end and a new start. */
  running(name: string): Process | undefined {
    return this.#members.find((member) => member.name === name)?.process;
  }

  /** A new round: what was before is forgotten, but for those who are there. */
  turnPage(): void {
    this.history.splice(0, this.history.length, ...this.history.filter((each) => !each.ended));
    this.violations.length = 0;
  }

  async dismiss(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#members.map(({ process }) => process && stopProcess(process, 0)));
  }

  async #keep(member: Member, launch: () => Promise<Process>): Promise<void> {
    while (!this.#isOver) {
      const process = await launch();
      if (this.#isOver) return stopProcess(process, 0);
      member.process = process;
      const entry: Crew['history'][number] = { name: member.name, process };
      this.history.push(entry);
      const { code, signal } = await process.exited;
      member.process = undefined;
      entry.ended = signal ?? `status ${code}`;
      if (this.#isOver) return;
      if (code === 1) this.violations.push(`${member.name} ended with status 1: ${last(process)}`);
      await sleep(restartMs);
    }
  }
}

interface Member {
  name: string;
  process: Process | undefined;
}

/** A supervisor's pause: one that cannot start must not take the machine from all others. */
const restartMs = 200;

export function last({ stderr }: Process): string {
  return stderr.slice(-3).join(' | ').slice(0, 600);
}
