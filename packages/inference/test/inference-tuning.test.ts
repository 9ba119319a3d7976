import { type Device, describeTuning, tuneDeviceBatch } from '@cutline/inference';
import { describe, expect, test } from 'vitest';

/** The device batch is found on devices that are made up: their times, and their memory. */

const MB = 1e6;

interface MadeUp {
  /** Of one computation. */
  ms: (images: number) => number;
  /** Of a device that has computed so many images at a time. */
  bytes?: (imagesMax: number) => number;
  limitBytes?: number;
}

/** Time passes by computing alone. */
function madeUpDevice({ ms, bytes = () => 0, limitBytes = 1e12 }: MadeUp) {
  let clockMs = 1e6;
  let imagesMax = 0;
  const computed: number[] = [];
  const device: Device = {
    async compute(images) {
      computed.push(images);
      imagesMax = Math.max(imagesMax, images);
      clockMs += ms(images);
    },
    nowMs: () => clockMs,
    memory: () => ({ usedBytes: 100 * MB + bytes(imagesMax), limitBytes }),
  };
  return { device, computed };
}

const sizes = ({ trials }: { trials: { images: number }[] }) => trials.map(({ images }) => images);

describe('tuneDeviceBatch', () => {
  test('doubles until it gains no more than a few per cent, and takes the one before', async () => {
    // 32 cores of 50 ms an image: as fast as can be from 32 images on.
    const { device } = madeUpDevice({ ms: (images) => 50 * Math.ceil(images / 32) });
    const tuning = await tuneDeviceBatch(device);
    expect(tuning).toEqual({
      deviceBatch: 32,
      trials: [
        { images: 4, imagesPerSecond: 80 },
        { images: 8, imagesPerSecond: 160 },
        { images: 16, imagesPerSecond: 320 },
        { images: 32, imagesPerSecond: 640 },
        { images: 64, imagesPerSecond: 640 },
        { images: 128, imagesPerSecond: 640 },
      ],
      ended: 'more are no faster',
    });
    expect(describeTuning(tuning)).toBe(
      'device batch 32: 640 images/s (4: 80, 8: 160, 16: 320, 32: 640, 64: 640, 128: 640; more are ' +
        'no faster)',
    );
  });

  test('takes the smallest where all are equally fast', async () => {
    const tuning = await tuneDeviceBatch(madeUpDevice({ ms: (images) => 10 * images }).device);
    expect(tuning).toMatchObject({ deviceBatch: 4, ended: 'more are no faster' });
    expect(sizes(tuning)).toEqual([4, 8, 16]);
  });

  test('goes on after one size that other work slowed down', async () => {
    const ms = (images: number) => (images === 16 ? 500 : 50) * Math.ceil(images / 32);
    const tuning = await tuneDeviceBatch(madeUpDevice({ ms }).device);
    expect(tuning.deviceBatch).toBe(32);
    expect(sizes(tuning)).toEqual([4, 8, 16, 32, 64, 128]);
  });

  test('has an end where throughput has none', async () => {
    const tuning = await tuneDeviceBatch(madeUpDevice({ ms: () => 1 }).device);
    expect(tuning).toMatchObject({ deviceBatch: 256, ended: 'more are not tried' });
  });

  test('times no first computation, and takes the fastest of several', async () => {
    const seen = new Map<number, number>();
    const ms = (images: number) => {
      const nth = (seen.get(images) ?? 0) + 1;
      seen.set(images, nth);
      if (nth === 1) return 10_000; // kernels are chosen
      return nth === 3 ? 10 : 90; // other work interferes, but for once
    };
    const tuning = await tuneDeviceBatch(madeUpDevice({ ms }).device);
    expect(tuning.trials.slice(0, 2)).toEqual([
      { images: 4, imagesPerSecond: 400 },
      { images: 8, imagesPerSecond: 800 },
    ]);
  });

  test('repeats what is over in an instant until there is something to go by', async () => {
    const { device, computed } = madeUpDevice({ ms: () => 2 });
    await tuneDeviceBatch(device);
    expect(computed.filter((images) => images === 4)).toHaveLength(1 + 50);
  });

  test('stops before memory is short, while twice as many would still compute', async () => {
    const bytes = (images: number) => 10 * MB * images;
    const { device, computed } = madeUpDevice({ ms: () => 1, bytes, limitBytes: 700 * MB });
    // 16 take 260 MB and 32 would take 420; after 32, 64 are expected to take 740 of 560.
    expect(await tuneDeviceBatch(device)).toMatchObject({
      deviceBatch: 32,
      ended: 'memory is short',
    });
    expect(Math.max(...computed)).toBe(32);
  });

  test('takes the last that the device could compute', async () => {
    const { device } = madeUpDevice({ ms: () => 1 });
    const tuning = await tuneDeviceBatch({
      ...device,
      async compute(images) {
        if (images > 16) throw new Error('out of memory');
        return device.compute(images);
      },
    });
    expect(tuning.deviceBatch).toBe(16);
    expect(tuning.ended).toBe('32 cannot be computed: out of memory');
  });

  test('fails where the device can compute nothing', async () => {
    const { device } = madeUpDevice({ ms: () => 1 });
    const compute = () => Promise.reject(new Error('no kernel'));
    await expect(tuneDeviceBatch({ ...device, compute })).rejects.toThrow('no kernel');
  });
});
