/**
 * How fast a model may be on this machine: a made-up image goes through both stages on one thread.
 * It also leaves the engine's cache filled, so that the first real start is a quick one.
 */
import { modelSize } from '@cutline/captioner';
import { collectGarbage } from './collect-garbage.ts';
import { describeBundle } from './load-bundle.ts';
import { madeUpImage, rehearsedSearch } from './rehearse.ts';
import { startInference } from './start-inference.ts';

/** Seconds that an image takes one thread, or why that is not known. */
export type Trial =
  | { encodeSeconds: number; decodeSeconds: number; words: number; beamSize: number }
  | { notTried: string };

/** A first computation also chooses kernels and allocates memory; it counts where it is so long. */
const onceSecondsMin = 3;

/** @throws UserError where the bundle or every backend cannot be used */
export async function tryModel(bundleFolder: string): Promise<Trial> {
  collectGarbage(); // that of a conversion, for one, may take as much as the model
  const shortage = await memoryShortage(bundleFolder);
  if (shortage) return { notTried: shortage };
  const stages = { encode: true, decode: true };
  const pool = await startInference({ bundleFolder, stages, backend: 'auto', threads: 1 });
  try {
    const image = madeUpImage(pool.model);
    const search = rehearsedSearch(pool.model);
    const encoded = await timed(() => pool.encode(image, 1));
    const decoded = await timed(() => pool.decode(encoded.result, 1, search));
    return {
      encodeSeconds: encoded.seconds,
      decodeSeconds: decoded.seconds,
      words: search.lengthMax,
      beamSize: search.beamSize,
    };
  } finally {
    await pool.close();
  }
}

/** A trial that is killed for memory would look as if the model could not be added. */
async function memoryShortage(bundleFolder: string): Promise<string | undefined> {
  const [one] = modelSize((await describeBundle(bundleFolder)).description).memory;
  const needed = (one?.encodeBytes ?? 0) + (one?.decodeBytes ?? 0);
  const free = process.availableMemory();
  if (needed <= free) return undefined;
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);
  return `both stages take about ${gigabytes(needed)} GB of memory, and ${gigabytes(free)} GB are free`;
}

async function timed<Result>(
  compute: () => Promise<Result>,
): Promise<{ result: Result; seconds: number }> {
  const once = async () => {
    const begun = performance.now();
    const result = await compute();
    return { result, seconds: (performance.now() - begun) / 1000 };
  };
  const first = await once();
  return first.seconds < onceSecondsMin ? once() : first;
}
