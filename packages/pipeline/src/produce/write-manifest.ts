import type { Metrics } from '@cutline/shared/process';
import { createChunk, createEnd, type ImageRef, type RunStore } from '@cutline/shared/run';
import { superseded } from '../board/run-lock.ts';

/** How much of the manifest is written, for those who read it while it grows. */
export class ManifestProgress {
  chunks: number;
  images: number;
  /** Of these images; undefined where others listed some of them. */
  bytes: number | undefined;
  isComplete: boolean;
  /** When each chunk was listed that this process wrote, in ms since 1970. */
  readonly listed = new Map<number, { startMs: number; endMs: number }>();

  constructor(from: Pick<ManifestProgress, 'chunks' | 'images' | 'bytes' | 'isComplete'>) {
    this.chunks = from.chunks;
    this.images = from.images;
    this.bytes = from.bytes;
    this.isComplete = from.isComplete;
  }
}

/**
 * Writes a listing as the run's manifest, chunk by chunk, as fast as it is listed, after the
 * chunks that `progress` says are there already (all of them full).
 *
 * @throws UserError where another process has claimed the run and goes on with its listing
 */
export async function writeManifest(
  run: RunStore,
  listing: AsyncIterable<ImageRef>,
  options: {
    /** Images in a chunk that is full. */
    chunkImages: number;
    generation: number;
    progress: ManifestProgress;
    metrics: Metrics;
    /** Milliseconds since 1970. */
    now: () => number;
    /** Awaited before each chunk is written. */
    held: () => Promise<void>;
  },
): Promise<void> {
  const { chunkImages, generation, progress, metrics, now, held } = options;
  let rows: ImageRef[] = [];
  let startMs = now();
  let stopTimer = metrics.stepSeconds.startTimer({ stage: 'list' });
  const flush = async () => {
    if (rows.length === 0) return;
    await held();
    if (!(await createChunk(run, progress.chunks, generation, rows))) throw superseded(run.run);
    stopTimer();
    progress.listed.set(progress.chunks, { startMs, endMs: now() });
    startMs = now();
    stopTimer = metrics.stepSeconds.startTimer({ stage: 'list' });
    metrics.images.inc({ stage: 'list', state: 'listed' }, rows.length);
    progress.images += rows.length;
    if (progress.bytes !== undefined) {
      progress.bytes += rows.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
    }
    progress.chunks += 1;
    rows = [];
  };
  for await (const image of listing) {
    rows.push(image);
    if (rows.length === chunkImages) await flush();
  }
  await flush();
  await held();
  const { chunks, images } = progress;
  if (!(await createEnd(run, generation, { chunks, images }))) throw superseded(run.run);
  progress.isComplete = true;
}
