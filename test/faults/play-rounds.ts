import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPipeline } from '../support/pipeline.ts';
import { sampleImages } from '../support/sample-images.ts';
import { samples } from './archive.ts';
import { playRound, type Round } from './play-round.ts';
import { whyNoSmallDisk } from './small-disk.ts';

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
  for (const seed of seeds) {
    const round = await playRound(seed, { captions, can: { fillDisks: noDisk === undefined } });
    rounds.push(round);
    await onRound(round);
  }
  return rounds;
}

/** What the model says of each sample where nothing goes wrong, in one process. */
async function captionSamples(): Promise<string[]> {
  const pipeline = await startPipeline();
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
