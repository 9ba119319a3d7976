import { type CaptionOptions, createRandom, toFloat16 } from '@cutline/captioner';
import type { DecodeRequest, EncodeRequest, Stage } from './inference-messages.ts';
import type { ModelSummary } from './load-bundle.ts';
import type { ThreadHandle } from './thread-handle.ts';

/**
 * Has a thread compute made-up images, with results that nobody wants: engines choose their kernels
 * and allocate their memory when they first compute a shape.
 *
 * @throws what the computation throws.
 */
export async function rehearse(
  thread: ThreadHandle,
  { stage, model, images }: { stage: Stage; model: ModelSummary; images: number },
): Promise<void> {
  const request = stage === 'encode' ? encodeRequest(model, images) : decodeRequest(model, images);
  const data = request.task === 'encode' ? request.pixels : request.features;
  await thread.run(request, [data.buffer]);
}

/** `[H,W,3]` of an image that shows nothing. */
export function madeUpImage({ preprocessing: { width, height } }: ModelSummary): Uint8Array {
  const random = createRandom(1);
  return Uint8Array.from({ length: height * width * 3 }, () => 256 * random());
}

/** Words of each caption: about as many as captions have, whatever the model would say. */
export const rehearsedWords = 10;

/** The model's own way to search, but for captions of a length that does not depend on the image. */
export function rehearsedSearch({ decoding }: ModelSummary): CaptionOptions {
  const length = Math.min(rehearsedWords, decoding.lengthMax);
  return { ...decoding, lengthMin: length, lengthMax: length, noRepeatNgram: 0 };
}

function encodeRequest(model: ModelSummary, count: number): EncodeRequest {
  const pixels = repeat(madeUpImage(model), count);
  return { task: 'encode', pixels, count, deviceBatch: count, featureType: 'float16' };
}

function decodeRequest(model: ModelSummary, count: number): DecodeRequest {
  const random = createRandom(2);
  const { locations, channels } = model.features;
  const values = Float32Array.from({ length: locations * channels }, random);
  const features = repeat(new Uint8Array(toFloat16(values).buffer), count);
  const options = rehearsedSearch(model);
  const given = { features, featureType: 'float16' as const };
  return { task: 'decode', ...given, count, deviceBatch: count, options };
}

function repeat(image: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(count * image.length);
  for (let n = 0; n < count; n++) all.set(image, n * image.length);
  return all;
}
