import { createRandom } from '@cutline/captioner';
import { drawFrom, type FaultKind } from './fault.ts';
import { playRound, type Round } from './play-round.ts';
import { captionSamples } from './play-rounds.ts';
import { processFaults } from './process-faults.ts';
import { redisFaults } from './redis-faults.ts';
import type { Schedule } from './schedule.ts';
import type { Strike } from './strikes.ts';
import { startWorld, type WorldOptions } from './world.ts';

const options: WorldOptions = {
  encoders: 1,
  decoders: 1,
  captioners: 0,
  appendOnly: false,
  redis: 'replica',
  withDisk: false,
  model: 'shipped',
};

/** About 20 s of two cores that are busy with it, faults included. */
const imagesPerStrike = 600;

/**
 * One long run with the model that ships: a hundredth of the images are bad, workers are killed or
 * sleep in turn, and Redis fails over twice.
 */
export async function playLongRun(seed: number, images: number): Promise<Round> {
  const captions = await captionSamples('shipped');
  const world = await startWorld(options);
  try {
    const schedule = longSchedule(seed, images);
    return await playRound(seed, { world, options, captions, schedule, deadlineMs: 1_800_000 });
  } finally {
    await world.stop();
  }
}

function longSchedule(seed: number, images: number): Schedule {
  const draw = drawFrom(createRandom(seed), ['encoder-worker 1', 'decoder-worker 1']);
  const dies = kind(processFaults, 'a worker is killed');
  const sleeps = kind(processFaults, 'a worker sleeps for longer than its lock');
  const failsOver = kind(redisFaults, 'Redis and its replica change places');
  const strikes: Strike[] = [];
  const strikeAt = (image: number, from: FaultKind) => {
    const key = new RegExp(`/photo-${String(Math.floor(image)).padStart(4, '0')}`);
    strikes.push({ moment: { when: 'after', operation: 'get', key }, fault: from.draw(draw) });
  };
  for (let n = 1; n * imagesPerStrike < images; n += 1) {
    strikeAt(n * imagesPerStrike, n % 2 === 0 ? dies : sleeps);
  }
  for (const third of [1, 2]) strikeAt((third * images) / 3, failsOver);
  return { images, badShare: 0.01, batchSize: 64, latencyMs: {}, strikes, retryStrikes: [] };
}

function kind(kinds: readonly FaultKind[], name: string): FaultKind {
  const found = kinds.find((each) => each.name === name);
  if (!found) throw new Error(`There is no fault "${name}"`);
  return found;
}
