import { crc32 } from 'node:zlib';
import { z } from 'zod';

/**
 * How a batch's features are packed: one value in Redis.
 *
 *   4 bytes   "CLF1"
 *   4 bytes   length of the header, little-endian
 *   header    JSON: model, dtype, shape [images, L, D], crc32 of the payload
 *   payload   the features, row-major, little-endian
 *
 * The header makes a blob that is truncated, mixed up or another model's recognisable before it
 * could turn into a wrong caption.
 */

const magic = Buffer.from('CLF1');

const headerSchema = z.strictObject({
  model: z.string(),
  dtype: z.literal('float16'),
  shape: z.tuple([z.int().positive(), z.int().positive(), z.int().positive()]),
  crc32: z.int().nonnegative(),
});

export interface FeatureBlob {
  model: string;
  /** [images, L, D] */
  shape: [number, number, number];
  /** float16, images × L × D × 2 bytes. */
  payload: Uint8Array;
}

/** The blob's bytes cannot be trusted: the batch goes back to be encoded. */
export class DamagedFeaturesError extends Error {
  override readonly name = 'DamagedFeaturesError';
}

export function packFeatures({ model, shape, payload }: FeatureBlob): Buffer {
  const expected = shape[0] * shape[1] * shape[2] * 2;
  if (payload.byteLength !== expected) {
    throw new RangeError(
      `Features of shape [${shape}] take ${expected} bytes as float16, got ${payload.byteLength}`,
    );
  }
  const header = Buffer.from(
    JSON.stringify({ model, dtype: 'float16', shape, crc32: crc32(payload) }),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.byteLength);
  return Buffer.concat([magic, length, header, payload]);
}

/** @throws DamagedFeaturesError when the bytes are not a whole, unharmed blob. */
export function unpackFeatures(bytes: Buffer): FeatureBlob {
  const damaged = (what: string, cause?: unknown) => new DamagedFeaturesError(what, { cause });
  if (bytes.byteLength < 8 || !bytes.subarray(0, 4).equals(magic)) {
    throw damaged('The value does not start like a feature blob');
  }
  const payloadStart = 8 + bytes.readUInt32LE(4);
  let header: z.infer<typeof headerSchema>;
  try {
    header = headerSchema.parse(JSON.parse(bytes.toString('utf8', 8, payloadStart)));
  } catch (cause) {
    throw damaged('The header of the feature blob cannot be read', cause);
  }
  const payload = bytes.subarray(payloadStart);
  const [images, locations, channels] = header.shape;
  const expected = images * locations * channels * 2;
  if (payload.byteLength !== expected) {
    throw damaged(`The feature blob has ${payload.byteLength} of ${expected} bytes`);
  }
  if (crc32(payload) !== header.crc32) throw damaged('The checksum of the features does not match');
  return { model: header.model, shape: header.shape, payload };
}
