import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPipeline } from '../support/pipeline.ts';
import { sampleImages } from '../support/sample-images.ts';
import { samples } from './archive.ts';
import { playRound, type Round } from './play-round.ts';
import { drawWorld, roundsOfWorld } from './schedule.ts';
import { whyNoSmallDisk } from './small-disk.ts';
import { startWorld, type World } from './world.ts';

/**
 * Plays the rounds of some seeds, one after another.
 * @param onRound is told of each.
 * @param onSkipped is told of a fault that this machine cannot have, before the first round.
 */
export async function playRounds(
  seeds: Iterable<number>,
  { onRound, onSkipped }: { onRound: (round: Round) => unknown; onSkipped: (why: string) => void },
): Promise<Round[]> {
  const noDisk = await whyNoSmallDisk();
  if (noDisk !== undefined) onSkipped(`a full disk: ${noDisk}`);
  const captions = await captionSamples();
  const rounds: Round[] = [];
  let world: World | undefined;
  let drawnFor: number | undefined;
  try {
    for (const seed of seeds) {
      const options = drawWorld(seed, { fillDisks: noDisk === undefined });
      const group = Math.floor(seed / roundsOfWorld);
      if (group !== drawnFor || !world) {
        await world?.stop();
        world = await startWorld(options);
        drawnFor = group;
      }
      const round = await playRound(seed, { world, options, captions });
      rounds.push(round);
      await onRound(round);
      // What went wrong must not go on in the next round.
      if (round.violations.length > 0) drawnFor = undefined;
    }
  } finally {
    await world?.stop();
  }
  return rounds;
}

/** What the model says of each sample where nothing goes wrong, in one process. */
export async function captionSamples(model: 'tiny' | 'shipped' = 'tiny'): Promise<string[]> {
  const pipeline = await startPipeline({ model });
  const folder = await mkdtemp(join(tmpdir(), 'cutline-samples-'));
  try {
    for (const [key, bytes] of await sampleImages(samples)) {
      await writeFile(join(folder, key), bytes);
    }
    const { stdout } = await pipeline.succeed('caption', folder, '--json');
    return stdout.split('\n').map((line): string => JSON.parse(line).caption);
  } finally {
    await pipeline.stop();
    await rm(folder, { recursive: true });
  }
}
