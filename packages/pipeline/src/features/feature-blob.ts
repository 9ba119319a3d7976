import { crc32 } from 'node:zlib';
import { z } from 'zod';

/**
 * How a batch's features are packed: one value in Redis.
 *
 *   4 bytes   "CLF1"
 *   4 bytes   CRC-32 of all that follows, little-endian
 *   4 bytes   length of the header, little-endian
 *   header    JSON: model, dtype, shape [images, L, D]
 *   payload   the features, row-major, little-endian
 *
 * The header makes a blob that is mixed up or another model's recognisable, and the checksum one
 * that is damaged, before it could turn into a wrong caption. It covers the header as well: with
 * one bit changed, [2,49,512] would be the shape of another batch.
 */

const magic = Buffer.from('CLF1');
const checksumStart = magic.byteLength;
const lengthStart = checksumStart + 4;
const headerStart = lengthStart + 4;

const headerSchema = z.strictObject({
  model: z.string(),
  dtype: z.literal('float16'),
  shape: z.tuple([z.int().positive(), z.int().positive(), z.int().positive()]),
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

/** @throws RangeError when the payload is not of the shape's size. */
export function packFeatures({ model, shape, payload }: FeatureBlob): Buffer {
  const expected = payloadBytes(shape);
  if (payload.byteLength !== expected) {
    throw new RangeError(
      `Features of shape [${shape}] take ${expected} bytes as float16, got ${payload.byteLength}`,
    );
  }
  const header = Buffer.from(JSON.stringify({ model, dtype: 'float16', shape }));
  const blob = Buffer.allocUnsafe(headerStart + header.byteLength + payload.byteLength);
  blob.set(magic);
  blob.writeUInt32LE(header.byteLength, lengthStart);
  blob.set(header, headerStart);
  blob.set(payload, headerStart + header.byteLength);
  blob.writeUInt32LE(crc32(blob.subarray(lengthStart)), checksumStart);
  return blob;
}

/** @throws DamagedFeaturesError when the bytes are not a whole, unharmed blob. */
export function unpackFeatures(bytes: Buffer): FeatureBlob {
  if (bytes.byteLength < headerStart || !bytes.subarray(0, checksumStart).equals(magic)) {
    throw new DamagedFeaturesError('The value does not start like a feature blob');
  }
  if (crc32(bytes.subarray(lengthStart)) !== bytes.readUInt32LE(checksumStart)) {
    throw new DamagedFeaturesError('The checksum of the feature blob does not match');
  }
  const payloadStart = headerStart + bytes.readUInt32LE(lengthStart);
  const { model, shape } = parseHeader(bytes.toString('utf8', headerStart, payloadStart));
  const payload = bytes.subarray(payloadStart);
  const expected = payloadBytes(shape);
  if (payload.byteLength !== expected) {
    throw new DamagedFeaturesError(
      `Features of shape [${shape}] take ${expected} bytes, the blob has ${payload.byteLength}`,
    );
  }
  return { model, shape, payload };
}

/** Another version of Cutline may have written it. */
function parseHeader(json: string): z.infer<typeof headerSchema> {
  try {
    return headerSchema.parse(JSON.parse(json));
  } catch (cause) {
    throw new DamagedFeaturesError('The header of the feature blob cannot be read', { cause });
  }
}

function payloadBytes([images, locations, channels]: FeatureBlob['shape']): number {
  return images * locations * channels * 2;
}
