/**
 * Finds how many images a device should compute at a time. Throughput rises with that number while
 * the device has parts that idle, and then stays; memory goes on rising.
 *
 * It knows the device by what it is given: work, a clock and a look at memory.
 */

/** What is tuned. */
export interface Device {
  /** Computes so many images at a time; throws where they do not fit. */
  compute: (images: number) => Promise<unknown>;
  /** Milliseconds since whenever. */
  nowMs: () => number;
  memory: () => { usedBytes: number; limitBytes: number };
}

export interface Tuning {
  /** Images at a time: the fewest that are about as fast as more. */
  deviceBatch: number;
  /** In the order in which they were made; each of twice as many images as the one before. */
  trials: { images: number; imagesPerSecond: number }[];
  /** Why there were no more trials. */
  ended: string;
}

const imagesMin = 4;
const imagesMax = 256;
/** A size that is not faster by so much than the best so far gains nothing … */
const riseMin = 1.03;
/** … and after two of them in a row there are no more: other work may have slowed one down. */
const flatTrialsMax = 2;
/** A trial is the fastest of at least three computations, since other work only slows them down. */
const repeatsMin = 3;
const trialMsMin = 100;
/** Of the memory there is: the rest is for images that are fetched and decoded meanwhile. */
const memoryShareMax = 0.8;

/** @throws what the device throws at the smallest size. */
export async function tuneDeviceBatch(device: Device): Promise<Tuning> {
  const { usedBytes: usedAtFirst } = device.memory();
  const trials: Tuning['trials'] = [];
  let deviceBatch = imagesMin;
  let fastest = 0;
  let flatTrials = 0;
  const end = (ended: string): Tuning => ({ deviceBatch, trials, ended });

  for (let images = imagesMin; images <= imagesMax; images *= 2) {
    let imagesPerSecond: number;
    try {
      imagesPerSecond = (1000 * images) / (await fastestMs(device, images));
    } catch (error) {
      if (trials.length === 0) throw error;
      return end(`${images} cannot be computed: ${error instanceof Error ? error.message : error}`);
    }
    trials.push({ images, imagesPerSecond });
    if (imagesPerSecond >= fastest * riseMin) {
      deviceBatch = images;
      fastest = imagesPerSecond;
      flatTrials = 0;
    } else if (++flatTrials === flatTrialsMax) return end('more are no faster');

    const { usedBytes, limitBytes } = device.memory();
    const expectedBytes = usedBytes + (usedBytes - usedAtFirst); // twice the images, twice the growth
    if (expectedBytes > memoryShareMax * limitBytes) return end('memory is short');
  }
  return end('more are not tried');
}

/** Of one computation, after one that is not timed: it chooses kernels and allocates memory. */
async function fastestMs({ compute, nowMs }: Device, images: number): Promise<number> {
  await compute(images);
  let fastest = Number.POSITIVE_INFINITY;
  const begun = nowMs();
  for (let repeat = 0; repeat < repeatsMin || nowMs() - begun < trialMsMin; repeat++) {
    const before = nowMs();
    await compute(images);
    fastest = Math.min(fastest, nowMs() - before);
  }
  return fastest;
}

/** `device batch 16: 239 images/s (4: 181, 8: 222, 16: 239, 32: 244, 64: 242; more are no faster)` */
export function describeTuning({ deviceBatch, trials, ended }: Tuning): string {
  const rate = (imagesPerSecond: number) => Math.round(imagesPerSecond);
  const chosen = trials.find(({ images }) => images === deviceBatch)?.imagesPerSecond ?? 0;
  const rates = trials.map(({ images, imagesPerSecond }) => `${images}: ${rate(imagesPerSecond)}`);
  return `device batch ${deviceBatch}: ${rate(chosen)} images/s (${rates.join(', ')}; ${ended})`;
}
