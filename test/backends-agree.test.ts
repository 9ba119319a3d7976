import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Agreement, compareCaptions } from '../bench/contenders/compare-captions.mjs';
import { startContenders } from '../bench/contenders/start-contenders.mjs';
import { makeImages } from '../bench/make-images.mjs';
import { parseOptions } from '../bench/options.mjs';

/**
 * All backends say the same of real photographs: `npm run bench -- --only agreement` with fewer
 * images. Each runs in a process of its own, and captions with the shipped model.
 */

const imageCount = 40;
/** Of two captions, either of which may be called the best. */
const tieDifferenceMax = 1e-3;
/** One image of 40 may be a tie. */
const sameMin = imageCount - 1;

const folder = await mkdtemp(join(tmpdir(), 'cutline-backends-agree-'));
const images = join(folder, 'images');
await makeImages(images, imageCount);
const options = parseOptions(['--quick', '--peers', 'none']);
if (!options) throw new Error('expected options');
// Nothing is timed here: no contender needs images in memory.
const untimed = { ...options, stageImageCount: 1 };
const { contenders, absent } = await startContenders(untimed, { images, graphs: '' });

afterAll(async () => {
  for (const { stop } of contenders) await stop();
  await rm(folder, { recursive: true, force: true });
});

describe('from the same pixels', () => {
  const [reference, ...others] = contenders.filter(({ name }) => options.backends.includes(name));
  let agreements: Agreement[];
  beforeAll(async () => {
    const folders = { images, pixels: join(folder, 'pixels') };
    agreements = await compareCaptions(contenders, folders, { ofFiles: false });
  }, 120_000);

  test.each(others.map(({ name }) => name))(`%s says what ${reference?.name} says`, (backend) => {
    const agreement = agreements.find(({ name }) => name === backend);
    expect(agreement?.images).toBe(imageCount);
    expect(agreement?.same).toBeGreaterThanOrEqual(sameMin);
    expect(agreement?.scoreDifference).toBeLessThan(tieDifferenceMax);
    expect(agreement?.tieDifference).toBeLessThan(tieDifferenceMax);
  });

  for (const { name, reason } of absent) test.skip(`NOT TESTED: ${name}: ${reason}`, () => {});
});
