import { crc32 } from 'node:zlib';
import type { EncodeOutcome } from '@cutline/inference';

/** A model whose caption says which image it was made from: a mix-up is seen at once. */

export const modelId = 'simulated@0123456789ab';

/** The contents of an image; the first word says what it is like. */
export function imageBytes(key: string, kind: 'good' | 'corrupt' | 'replaced' = 'good'): Buffer {
  return Buffer.from(`${kind} ${key}`);
}

/** @param payload gets the features of an image that can be encoded: 4 bytes. */
export function encodeBytes(
  { bytes, etag }: { bytes: Buffer; etag: string },
  payload: Uint8Array[],
): EncodeOutcome {
  const text = bytes.toString();
  if (text.startsWith('corrupt')) {
    return { status: 'failed', failure: { class: 'corrupt', message: 'it is damaged' } };
  }
  const features = Buffer.alloc(4);
  features.writeUInt32LE(crc32(text.slice(text.indexOf(' ') + 1)));
  payload.push(features);
  return { status: 'encoded', etag, width: 1, height: 1 };
}

/** @param features 4 bytes of one image */
export function captionOf(features: Uint8Array) {
  const caption = `image ${Buffer.from(features).readUInt32LE().toString(16)}`;
  return { caption, logProb: -1, score: -1, candidates: [{ caption, logProb: -1, score: -1 }] };
}

/** What the caption of an image has to be. */
export function expectedCaption(key: string): string {
  return `image ${crc32(key).toString(16)}`;
}
