// @ts-check

/**
 * A checkpoint of a published architecture at its full size, with random weights: speed does not
 * depend on them. Both `cutline model add <folder>` and transformers'
 * from_pretrained take it.
 *
 *     node bench/published/write-checkpoint.mjs blip-base <folder> [seed]
 */
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRandom } from '@cutline/captioner';
import { architectures } from './architectures.mjs';
import { settingsOf } from './settings.mjs';
import { tensorsOf } from './tensors.mjs';

/** @import { Architecture } from './architectures.mjs' */

/** Of the reference's initial weights. */
const deviation = 0.02;

/**
 * Writes a tensor at a time: the largest checkpoint has 1.9 GB.
 *
 * @param {Architecture} architecture
 * @param {string} folder is made if need be
 * @param {number} [seed] the same seed gives the same bytes
 */
export async function writeCheckpoint(architecture, folder, seed = 1) {
  await mkdir(folder, { recursive: true });
  for (const [name, json] of Object.entries(settingsOf(architecture))) {
    await writeFile(join(folder, name), JSON.stringify(json));
  }
  const tensors = tensorsOf(architecture);
  const random = createRandom(seed);
  const file = await open(join(folder, 'model.safetensors'), 'w');
  try {
    await file.writeFile(headerOf(tensors));
    for (const [name, shape] of tensors) {
      const values = randomTensor(name, elementCount(shape), random);
      await file.writeFile(new Uint8Array(values.buffer));
    }
  } finally {
    await file.close();
  }
}

/** @param {ReadonlyMap<string, readonly number[]>} tensors */
function headerOf(tensors) {
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const [name, shape] of tensors) {
    const end = offset + 4 * elementCount(shape);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = JSON.stringify(header);
  const text = Buffer.from(json.padEnd(8 * Math.ceil(json.length / 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text]);
}

/**
 * Uniform, of that deviation around 0; norms around 1, as they start.
 *
 * @param {string} name
 * @param {number} length
 * @param {() => number} random
 */
function randomTensor(name, length, random) {
  const isScale = /(norm|ln_|projection\.1)[^.]*\.weight$/i.test(name);
  const limit = deviation * Math.sqrt(3);
  const values = new Float32Array(length);
  for (let n = 0; n < length; n++) values[n] = (isScale ? 1 : 0) + limit * (2 * random() - 1);
  return values;
}

/** @param {readonly number[]} shape */
function elementCount(shape) {
  return shape.reduce((product, size) => product * size, 1);
}

if (import.meta.filename === process.argv[1]) {
  const [name = '', folder, seed] = process.argv.slice(2);
  const architecture = architectures[name];
  if (!architecture || folder === undefined) {
    const names = Object.keys(architectures).join('|');
    process.stderr.write(`node bench/published/write-checkpoint.mjs ${names} <folder> [seed]\n`);
    process.exit(2);
  }
  await writeCheckpoint(architecture, folder, Number(seed ?? 1));
}
