import { crc32 } from 'node:zlib';
import type { EncodeOutcome } from '@cutline/inference';

/** A model whose caption says which image it was made from: a mix-up is seen at once. */

export const modelId = 'simulated@0123456789ab';

/**
 * What an image is like. Of one that is strange, the model gives a score that is no number; text is no
 * image, which is seen once it is opened.
 */
export type ImageKind = 'good' | 'corrupt' | 'strange' | 'text';

/** The contents of an image; the first word says what it is like. */
export function imageBytes(key: string, kind: ImageKind | 'replaced' = 'good'): Buffer {
  return Buffer.from(`${kind} ${key}`);
}

/**
 * @param payload gets the features of an image that can be encoded: 4 bytes, the lowest bit of
 *   which says whether it is strange.
 */
export function encodeBytes(
  { bytes, etag }: { bytes: Buffer; etag: string },
  payload: Uint8Array[],
): EncodeOutcome {
  const text = bytes.toString();
  if (text.startsWith('corrupt')) {
    return { status: 'failed', failure: { class: 'corrupt', message: 'it is damaged' } };
  }
  if (text.startsWith('text')) return { status: 'skipped', reason: 'not-an-image' };
  const features = Buffer.alloc(4);
  const isStrange = text.startsWith('strange');
  features.writeUInt32LE(fingerprint(text.slice(text.indexOf(' ') + 1)) + Number(isStrange));
  payload.push(features);
  return { status: 'encoded', etag, width: 1, height: 1 };
}

/**
 * @param features 4 bytes of one image
 * @param mood what a model that answers differently each time, as servers do, adds to its caption
 */
export function captionOf(features: Uint8Array, mood = '') {
  const number = Buffer.from(features).readUInt32LE();
  const isStrange = number % 2 === 1;
  const caption = captionWith(number - Number(isStrange)) + mood;
  const score = isStrange ? Number.NaN : -1;
  return { caption, logProb: -1, score, candidates: [{ caption, logProb: -1, score }] };
}

/** Whether the caption is this image's, in whatever mood. */
export function isCaptionOf(caption: string, key: string): boolean {
  return caption.split('!')[0] === expectedCaption(key);
}

/** What the caption of an image has to be. */
export function expectedCaption(key: string): string {
  return captionWith(fingerprint(key));
}

function captionWith(number: number): string {
  return `image ${number.toString(16)}`;
}

/** 32 bits, an even number. */
function fingerprint(key: string): number {
  return (crc32(key) & ~1) >>> 0;
}
