// @ts-check

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultBundleFolder, describeBundle } from '@cutline/inference';
import sharp from 'sharp';
import { inParallel } from '../in-parallel.mjs';
import { readPixels } from '../read-images.mjs';
import { captionRequest } from './measure-stages.mjs';

/** @import { Contender, Said } from './start-contenders.mjs' */

/**
 * How much two contenders agree. Scores are those that each gave its own caption. Where the
 * captions of an image are the same, their difference says how exactly both compute; where they
 * are not, whether two captions were as good as each other, or one of the two is wrong.
 *
 * @typedef {object} Agreement
 * @property {string} name
 * @property {string} reference
 * @property {string} of what was the same: pixels or files
 * @property {number} images
 * @property {number} same images with the same caption
 * @property {number} scoreDifference the largest where captions are the same
 * @property {number} tieDifference the largest where they are not; 0 where all are
 */

/**
 * How many captions each contender has in common with the first: whether they do the same work.
 * From files, what decodes and resizes them counts, too; from the same pixels, only the model.
 *
 * @param {readonly Contender[]} contenders
 * @param {{ images: string, pixels: string }} folders of images; and for the same as pixels
 * @param {{ ofFiles?: boolean, bundle?: string }} [options] `ofFiles: false`: from the same pixels
 *   alone; bundle that contenders run; default: the one that ships
 * @returns {Promise<Agreement[]>}
 */
export async function compareCaptions(contenders, folders, { ofFiles = true, bundle } = {}) {
  await writePixels(folders.images, folders.pixels, bundle);
  const agreements = [];
  const inputs = [{ of: 'the same pixels', folder: folders.pixels }];
  if (ofFiles) inputs.push({ of: 'the same files', folder: folders.images });
  for (const { of, folder } of inputs) {
    const captioning = contenders.filter(({ tasks }) => tasks.includes('caption'));
    const [first, ...others] = await Promise.all(
      captioning.map(async ({ name, run }) => {
        return { name, captions: (await run(captionRequest(folder))).captions ?? {} };
      }),
    );
    if (!first) throw new Error('nothing that captions takes part');
    for (const { name, captions } of others) {
      agreements.push({ name, reference: first.name, of, ...compare(first.captions, captions) });
    }
  }
  return agreements;
}

/** What one contender says where another says nothing. */
const silence = { caption: '', score: Number.NEGATIVE_INFINITY };

/**
 * @param {Record<string, Said>} expected by image
 * @param {Record<string, Said>} said
 */
export function compare(expected, said) {
  const pairs = Object.entries(expected).map(([image, one]) => {
    const other = said[image] ?? silence;
    return { same: one.caption === other.caption, difference: Math.abs(one.score - other.score) };
  });
  const largest = (/** @type {boolean} */ ofSame) =>
    Math.max(0, ...pairs.filter(({ same }) => same === ofSame).map(({ difference }) => difference));
  return {
    images: pairs.length,
    same: pairs.filter(({ same }) => same).length,
    scoreDifference: largest(true),
    tieDifference: largest(false),
  };
}

/** @param {Agreement} agreement */
export function formatAgreement(agreement) {
  const { name, reference, of, images, same, scoreDifference, tieDifference } = agreement;
  const scores = `scores differ by ${scoreDifference.toFixed(4)} at most`;
  const others = same < images ? `, by ${tieDifference.toFixed(4)} where captions differ` : '';
  return `From ${of}, ${name} says what ${reference} says of ${same} of ${images} images; ${scores}${others}.`;
}

/**
 * What the model sees of each image, as a PNG of just that size: nothing is left to resize.
 *
 * @param {string} from
 * @param {string} to is made
 * @param {string} [bundle]
 */
async function writePixels(from, to, bundle = defaultBundleFolder()) {
  await mkdir(to, { recursive: true });
  const { width, height } = (await describeBundle(bundle)).preprocessing;
  await inParallel(await readPixels(from, bundle), async ({ name, pixels }) => {
    const image = sharp(pixels, { raw: { width, height, channels: 3 } });
    await image.png().toFile(join(to, `${name}.png`));
  });
}
