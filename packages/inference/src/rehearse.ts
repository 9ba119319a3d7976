import { createRandom, toFloat16 } from '@cutline/captioner';
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
  const request = stage === 'encode' ? madeUpPixels(model, images) : madeUpFeatures(model, images);
  const data = request.task === 'encode' ? request.pixels : request.features;
  await thread.run(request, [data.buffer]);
}

function madeUpPixels({ preprocessing }: ModelSummary, count: number): EncodeRequest {
  const random = createRandom(1);
  const { width, height } = preprocessing;
  const image = Uint8Array.from({ length: height * width * 3 }, () => 256 * random());
  const pixels = repeat(image, count);
  return { task: 'encode', pixels, count, deviceBatch: count, featureType: 'float16' };
}

/** Words of each caption: about as many as captions have, whatever the model would say. */
const words = 10;

function madeUpFeatures({ features, decoding }: ModelSummary, count: number): DecodeRequest {
  const random = createRandom(2);
  const values = Float32Array.from({ length: features.locations * features.channels }, random);
  const image = new Uint8Array(toFloat16(values).buffer);
  const length = Math.min(words, decoding.lengthMax);
  const options = { ...decoding, lengthMin: length, lengthMax: length, noRepeatNgram: 0 };
  const given = { features: repeat(image, count), featureType: 'float16' as const };
  return { task: 'decode', ...given, count, deviceBatch: count, options };
}

function repeat(image: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(count * image.length);
  for (let n = 0; n < count; n++) all.set(image, n * image.length);
  return all;
}
