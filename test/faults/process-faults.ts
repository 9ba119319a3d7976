import type { Process } from '../support/processes.ts';
import type { FaultKind } from './fault.ts';
import { lockMs, type Scene } from './world.ts';

/** Processes that die, sleep and are told to stop, and an operator who changes her mind. */
export const processFaults: readonly FaultKind[] = [
  {
    name: 'a worker is killed',
    weight: 2,
    draw({ pick, workers }) {
      const worker = pick(workers);
      return {
        what: `${worker} is killed`,
        on: 'process',
        excuses: ['worker-lost'],
        lastsMs: 0,
        begin: ({ crew }) => crew.running(worker)?.kill('SIGKILL'),
      };
    },
  },
  {
    name: 'a worker sleeps for longer than its lock',
    weight: 2,
    draw({ pick, between, workers }) {
      const worker = pick(workers);
      let sleeper: Process | undefined;
      return {
        what: `${worker} sleeps`,
        on: 'process',
        excuses: ['worker-lost'],
        lastsMs: between(1.5 * lockMs, 3 * lockMs),
        begin({ crew }) {
          sleeper = crew.running(worker);
          sleeper?.kill('SIGSTOP');
        },
        heal: () => sleeper?.kill('SIGCONT'),
      };
    },
  },
  {
    name: 'a worker is told to stop',
    draw({ pick, workers }) {
      const worker = pick(workers);
      return {
        what: `${worker} is told to stop`,
        on: 'process',
        lastsMs: 0,
        begin: ({ crew }) => crew.running(worker)?.kill('SIGTERM'),
      };
    },
  },
  {
    name: 'the producer is killed',
    draw: () => ({
      what: 'the producer is killed',
      on: 'process',
      lastsMs: 0,
      begin: ({ operator }) => operator.producer?.kill('SIGKILL'),
    }),
  },
  {
    name: 'the producer sleeps',
    draw: ({ between }) => sleepingProducer(between(1_000, 4_000), false),
  },
  {
    name: 'the producer sleeps until another has its run',
    weight: 0.3,
    draw: ({ between }) => sleepingProducer(between(18_000, 20_000), true),
  },
  {
    name: 'the run is resumed beside its producer',
    weight: 0.5,
    draw: () => ({
      what: 'the run is resumed beside its producer',
      on: 'process',
      lastsMs: 0,
      begin: ({ operator }) => operator.beside('resume', operator.run),
    }),
  },
  {
    name: 'the run is cancelled',
    draw: () => ({
      what: 'the run is cancelled',
      on: 'process',
      lastsMs: 0,
      begin: ({ operator }) => operator.beside('cancel', operator.run),
    }),
  },
];

function sleepingProducer(lastsMs: number, isResumed: boolean) {
  let sleeper: Process | undefined;
  return {
    what: `the producer sleeps${isResumed ? ', and another resumes the run' : ''}`,
    on: 'process' as const,
    lastsMs,
    begin({ operator }: Scene) {
      sleeper = operator.producer;
      sleeper?.kill('SIGSTOP');
      if (isResumed) operator.beside('resume', operator.run);
    },
    heal: () => sleeper?.kill('SIGCONT'),
  };
}
