import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type Round, simulateRound } from './simulate-round.ts';

/** What came of many rounds. */
export interface Simulation {
  rounds: number;
  faults: number;
  failed: Round[];
}

/**
 * Plays rounds one after another in this thread.
 * @param onRound is told of each.
 */
export async function simulate(
  seeds: Iterable<number>,
  onRound: (round: Round) => void = () => {},
): Promise<Simulation> {
  const simulation: Simulation = { rounds: 0, faults: 0, failed: [] };
  for (const seed of seeds) {
    const round = await playRound(seed);
    simulation.rounds += 1;
    simulation.faults += round.faults;
    if (round.violations.length > 0) simulation.failed.push(round);
    onRound(round);
  }
  return simulation;
}

/** A rejection that nobody hears would end a real process: it is a violation. */
async function playRound(seed: number): Promise<Round> {
  const unheard: unknown[] = [];
  const hear = (reason: unknown) => unheard.push(reason);
  process.on('unhandledRejection', hear);
  try {
    const round = await simulateRound(seed);
    await new Promise((resolve) => setImmediate(resolve));
    for (const reason of unheard) {
      const text = reason instanceof Error ? reason.stack : String(reason);
      round.violations.push(`nobody heard of ${text}`);
    }
    return round;
  } finally {
    process.off('unhandledRejection', hear);
  }
}

/** Plays rounds on all cores. */
export async function simulateInThreads(
  firstSeed: number,
  rounds: number,
  onRound: (round: Round) => void,
): Promise<Simulation> {
  const total: Simulation = { rounds: 0, faults: 0, failed: [] };
  const threads = Math.min(availableParallelism(), rounds);
  await Promise.all(
    Array.from({ length: threads }, async (_, thread) => {
      const seeds: number[] = [];
      for (let i = thread; i < rounds; i += threads) seeds.push(firstSeed + i);
      const worker = new Worker(new URL('./simulation-thread.js', import.meta.url), {
        workerData: seeds,
      });
      worker.on('message', (round: Round) => {
        total.rounds += 1;
        total.faults += round.faults;
        if (round.violations.length > 0) total.failed.push(round);
        onRound(round);
      });
      await new Promise<void>((resolve, reject) => {
        worker.once('error', reject);
        worker.once('exit', () => resolve());
      });
    }),
  );
  return total;
}
