import { crc32 } from 'node:zlib';
import type { Features } from '@cutline/inference';
import { z } from 'zod';

/**
 * How a batch's features are packed: one value in Redis.
 *
 *   4 bytes   "CLF1"
 *   4 bytes   CRC-32 of all that follows, little-endian
 *   4 bytes   length of the header, little-endian
 *   header    JSON: model, dtype, and shape: [images, L, D] of float16, [images] of answers
 *   payload   the features, row-major, little-endian; or answers of a server, as JSON
 *
 * The header makes a blob that is mixed up or another model's recognisable, and the checksum one
 * that is damaged, before it could turn into a wrong caption. It covers the header as well: with
 * one bit changed, [2,49,512] would be the shape of another batch.
 */

const magic = Buffer.from('CLF1');
const checksumStart = magic.byteLength;
const lengthStart = checksumStart + 4;
const headerStart = lengthStart + 4;

const sizeSchema = z.int().positive();
const headerSchema = z.discriminatedUnion('dtype', [
  z.strictObject({
    model: z.string(),
    dtype: z.literal('float16'),
    shape: z.tuple([sizeSchema, sizeSchema, sizeSchema]),
  }),
  z.strictObject({ model: z.string(), dtype: z.literal('answers'), shape: z.tuple([sizeSchema]) }),
]);

type Header = z.infer<typeof headerSchema>;

/** The blob's bytes cannot be trusted: the batch goes back to be encoded. */
export class DamagedFeaturesError extends Error {
  override readonly name = 'DamagedFeaturesError';
}

/**
 * @param model id of the model that they are of
 * @throws RangeError when the payload is not of the shape's size.
 */
export function packFeatures(model: string, features: Features): Buffer {
  const { dtype, shape, payload } = features;
  const expected = payloadBytes(features);
  if (payload.byteLength !== expected) {
    throw new RangeError(
      `Features of shape [${shape}] take ${expected} bytes as ${dtype}, got ${payload.byteLength}`,
    );
  }
  const header = Buffer.from(JSON.stringify({ model, dtype, shape }));
  const blob = Buffer.allocUnsafe(headerStart + header.byteLength + payload.byteLength);
  blob.set(magic);
  blob.writeUInt32LE(header.byteLength, lengthStart);
  blob.set(header, headerStart);
  blob.set(payload, headerStart + header.byteLength);
  blob.writeUInt32LE(crc32(blob.subarray(lengthStart)), checksumStart);
  return blob;
}

/** @throws DamagedFeaturesError when the bytes are not a whole, unharmed blob. */
export function unpackFeatures(bytes: Buffer): { model: string; features: Features } {
  if (bytes.byteLength < headerStart || !bytes.subarray(0, checksumStart).equals(magic)) {
    throw new DamagedFeaturesError('The value does not start like a feature blob');
  }
  if (crc32(bytes.subarray(lengthStart)) !== bytes.readUInt32LE(checksumStart)) {
    throw new DamagedFeaturesError('The checksum of the feature blob does not match');
  }
  const payloadStart = headerStart + bytes.readUInt32LE(lengthStart);
  const { model, ...header } = parseHeader(bytes.toString('utf8', headerStart, payloadStart));
  const features = { ...header, payload: bytes.subarray(payloadStart) };
  const expected = payloadBytes(features);
  if (features.payload.byteLength !== expected) {
    throw new DamagedFeaturesError(
      `Features of shape [${features.shape}] take ${expected} bytes, the blob has ` +
        `${features.payload.byteLength}`,
    );
  }
  return { model, features };
}

/** Another version of Cutline may have written it. */
function parseHeader(json: string): Header {
  try {
    return headerSchema.parse(JSON.parse(json));
  } catch (cause) {
    throw new DamagedFeaturesError('The header of the feature blob cannot be read', { cause });
  }
}

/** What the shape says; of answers, which are as long as they are, nothing. */
function payloadBytes({ dtype, shape, payload }: Features): number {
  if (dtype === 'answers') return payload.byteLength;
  const [images, locations, channels] = shape;
  return images * locations * channels * 2;
}
