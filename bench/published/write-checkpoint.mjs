// @ts-check

/**
 * A checkpoint of a published architecture at its full size, with random weights: speed does not
 * depend on them. Both `cutline model add <folder>` and transformers'
 * from_pretrained take it.
 *
 *     node bench/published/write-checkpoint.mjs blip-base <folder> [seed] [deviation]
 */
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRandom } from '@cutline/captioner';
import { architectures, tinyArchitectures } from './architectures.mjs';
import { settingsOf } from './settings.mjs';
import { tensorsOf } from './tensors.mjs';

/** @import { Architecture } from './architectures.mjs' */

/**
 * @typedef {object} Randomness
 * @property {number} [seed] the same seed gives the same bytes
 * @property {number} [deviation] standard deviation of weights; default: that of the reference's
 *   initial weights
 */

/**
 * Writes a tensor at a time: the largest checkpoint has 1.9 GB.
 *
 * @param {Architecture} architecture
 * @param {string} folder is made if need be
 * @param {Randomness} [randomness]
 */
export async function writeCheckpoint(architecture, folder, randomness) {
  await mkdir(folder, { recursive: true });
  for (const [name, json] of Object.entries(settingsOf(architecture))) {
    await writeFile(join(folder, name), JSON.stringify(json));
  }
  const file = await open(join(folder, 'model.safetensors'), 'w');
  try {
    await file.writeFile(headerOf(tensorsOf(architecture)));
    for (const { values } of randomTensors(architecture, randomness)) {
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
 * Uniform around 0, of that deviation; norms around 1, as they start. In the order of the file.
 *
 * @param {Architecture} architecture
 * @param {Randomness} [randomness]
 */
export function* randomTensors(architecture, { seed = 1, deviation = 0.02 } = {}) {
  const random = createRandom(seed);
  const limit = deviation * Math.sqrt(3);
  for (const [name, shape] of tensorsOf(architecture)) {
    const mean = /(norm|ln_|projection\.1)[^.]*\.weight$/i.test(name) ? 1 : 0;
    const values = new Float32Array(elementCount(shape));
    for (let n = 0; n < values.length; n++) values[n] = mean + limit * (2 * random() - 1);
    yield { name, shape, values };
  }
}

/** @param {readonly number[]} shape */
function elementCount(shape) {
  return shape.reduce((product, size) => product * size, 1);
}

if (import.meta.filename === process.argv[1]) {
  const [name = '', folder, seed, deviation] = process.argv.slice(2);
  const known = { ...architectures, ...tinyArchitectures };
  const architecture = known[name];
  if (!architecture || folder === undefined) {
    const names = Object.keys(known).join('|');
    process.stderr.write(
      `node bench/published/write-checkpoint.mjs ${names} <folder> [seed] [deviation]\n`,
    );
    process.exit(2);
  }
  await writeCheckpoint(architecture, folder, {
    ...(seed !== undefined && { seed: Number(seed) }),
    ...(deviation !== undefined && { deviation: Number(deviation) }),
  });
}
