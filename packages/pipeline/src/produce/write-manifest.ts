import type { Metrics } from '@cutline/shared/process';
import { chunkBatches, type ImageRef, type RunStore, writeChunk } from '@cutline/shared/run';

/** Chunks of the manifest that are written, for those who wait for the next one. */
export class ManifestProgress {
  chunks = 0;
  images = 0;
  complete = false;
  #wake: () => void = () => {};
  #changed = this.#nextChange();

  update(change: { chunks: number; images: number; complete?: boolean }): void {
    Object.assign(this, change);
    this.#wake();
    this.#changed = this.#nextChange();
  }

  /** The manifest of a run whose listing is complete. */
  static complete(run: { images: number; batchSize: number }): ManifestProgress {
    const manifest = new ManifestProgress();
    const chunks = Math.ceil(run.images / (chunkBatches * run.batchSize));
    manifest.update({ chunks, images: run.images, complete: true });
    return manifest;
  }

  /** Resolves with whether chunk n exists: at once, when it is written, or when none will be. */
  async has(chunk: number): Promise<boolean> {
    while (chunk >= this.chunks && !this.complete) await this.#changed;
    return chunk < this.chunks;
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/**
 * Writes a listing as the run's manifest, chunk by chunk, as fast as it is listed.
 *
 * @param start what an earlier process has written: whole chunks, and the rows of a last one that
 *   is not full (it is written again with what follows).
 */
export async function writeManifest(
  run: RunStore,
  listing: AsyncIterable<ImageRef>,
  options: {
    batchSize: number;
    progress: ManifestProgress;
    metrics: Metrics;
    start: { chunks: number; images: number; rest: ImageRef[] };
  },
): Promise<void> {
  const { batchSize, progress, metrics, start } = options;
  const chunkImages = chunkBatches * batchSize;
  let { chunks, images } = start;
  let rows = [...start.rest];
  progress.update({ chunks, images });
  let stopTimer = metrics.stepSeconds.startTimer({ stage: 'list' });
  const flush = async () => {
    if (rows.length === 0) return;
    await writeChunk(run, chunks, rows);
    stopTimer();
    stopTimer = metrics.stepSeconds.startTimer({ stage: 'list' });
    metrics.images.inc({ stage: 'list', state: 'listed' }, rows.length);
    chunks += 1;
    images += rows.length;
    rows = [];
    progress.update({ chunks, images });
  };
  for await (const image of listing) {
    rows.push(image);
    if (rows.length === chunkImages) await flush();
  }
  await flush();
  progress.update({ chunks, images, complete: true });
}
