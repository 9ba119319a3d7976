import { parentPort, workerData } from 'node:worker_threads';
import { simulate } from './simulate.ts';

/** A thread that plays the rounds of the seeds that it is given. */
await simulate(workerData as number[], (round) => {
  // What happened is told only where it matters: there is much of it.
  parentPort?.postMessage(round.violations.length > 0 ? round : { ...round, trace: [] });
});
