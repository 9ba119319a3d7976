/**
 * The program of an inference thread: loads a model (or half of one) into an engine of its own,
 * then computes what the main thread asks for. Engines compute synchronously, natively or in
 * WebAssembly; here they block nothing but this thread.
 *
 * It reads the bundle by itself, so that weights are not copied between threads. It imports nothing
 * that it does not need: whatever is on its heap is marked at every garbage collection.
 */
import os from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import {
  type Caption,
  captionFeatures,
  createEngine,
  type Decoder,
  type Encoder,
  type EncoderBundle,
  type Engine,
  encodeImages,
  fromInt8Features,
  toInt8Features,
} from '@cutline/captioner';
import { describeError, UserError } from '@cutline/shared/errors';
import { collectGarbage } from './collect-garbage.ts';
import { ComputeGate } from './compute-gate.ts';
import { openEngineCache } from './engine-cache.ts';
import type {
  DecodeRequest,
  DeviceChoice,
  EncodeRequest,
  ImageCaptions,
  ThreadReady,
  ThreadReply,
  ThreadRequest,
  ThreadSetup,
} from './inference-messages.ts';
import { loadDecoderBundle, loadEncoderBundle, summarise } from './load-bundle.ts';
import { roundScore } from './round-score.ts';

const port = parentPort;
if (!port) throw new Error('inference-thread.js is the program of a worker thread');

function reply(message: ThreadReply, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

stepBehindTheMainThread();
const setup = workerData as ThreadSetup;
const gate = new ComputeGate(setup.gate);

if (gate.enter()) {
  try {
    await serve(setup);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    reply({ state: 'refused', message: describeError(error) });
  } finally {
    gate.leave();
  }
}

/**
 * Where all cores compute, the main thread should not wait for one of them: it has little to do,
 * and does it in time to renew locks and to fetch the next batch. On Linux a priority is a
 * thread's own, and that of the threads which it starts; elsewhere it is the whole process's.
 */
function stepBehindTheMainThread(): void {
  if (process.platform === 'linux') os.setPriority(Math.min(os.getPriority() + 5, 19));
}

interface Loaded {
  encoder?: Encoder;
  decoder?: Decoder;
}

async function serve(setup: ThreadSetup): Promise<void> {
  const { ready, loaded, engine } = await load(setup);
  // The bundle as it was read is as large as the model that the engine made of it.
  collectGarbage();
  port?.on('message', (request: ThreadRequest) => answer(request, loaded, engine));
  reply(ready);
}

async function load({ bundleFolder, stages, backend, device, cores }: ThreadSetup) {
  // The bundle first: whether it can be used is known sooner.
  const encoderBundle = stages.encode ? await loadEncoderBundle(bundleFolder) : undefined;
  const decoderBundle = stages.decode ? await loadDecoderBundle(bundleFolder) : undefined;
  const description = (encoderBundle ?? decoderBundle)?.description;
  if (!description) throw new Error('an inference thread needs a stage to compute');

  const suited = encoderBundle ? deviceFor(encoderBundle, device) : device;
  const options = {
    ...(suited !== 'auto' && { device: suited }),
    threads: cores,
    cache: openEngineCache(),
  };
  const { engine, reason } = await createEngine(backend, options).catch((cause: unknown) => {
    throw new UserError(`The backend "${backend}" cannot be used: ${describeError(cause)}.`, {
      cause,
    });
  });
  const loaded: Loaded = {
    ...(encoderBundle && { encoder: await engine.loadEncoder(encoderBundle) }),
    ...(decoderBundle && { decoder: await engine.loadDecoder(decoderBundle) }),
  };
  const ready: ThreadReady = {
    state: 'ready',
    model: summarise(description),
    backend: engine.backend,
    device: engine.device,
    reason: `${engine.description} (${reason})`,
    deviceBatches: {
      ...(loaded.encoder && { encode: loaded.encoder.deviceBatch }),
      ...(loaded.decoder && { decode: loaded.decoder.deviceBatch }),
    },
  };
  return { ready, loaded, engine };
}

/** GPUs gain nothing from bytes as encoders multiply them. @throws UserError where one is asked for */
function deviceFor({ id, description }: EncoderBundle, device: DeviceChoice): DeviceChoice {
  if (description.encoder.precision !== 'int8') return device;
  if (device !== 'gpu') return 'cpu';
  throw new UserError(
    `The encoder of ${id} multiplies bytes, which is for CPUs: add the model without ` +
      '--precision int8 for GPUs (or leave out --device).',
  );
}

async function answer(request: ThreadRequest, loaded: Loaded, engine: Engine): Promise<void> {
  if (request.task === 'close') {
    engine.dispose();
    port?.close();
    return;
  }
  if (!gate.enter()) return; // the process ends, and nobody waits for a reply
  try {
    if (request.task === 'encode') await encode(request, loaded);
    else await decode(request, loaded);
  } catch (error) {
    const stack = error instanceof Error ? error.stack : undefined;
    reply({ state: 'threw', message: describeError(error), stack });
  } finally {
    gate.leave();
  }
}

async function encode(
  { pixels, count, deviceBatch, featureType }: EncodeRequest,
  { encoder }: Loaded,
): Promise<void> {
  if (!encoder) throw new Error('this thread has not loaded the encoder');
  // Every machine that runs Node.js is little-endian, as packed features are.
  const halves = await encodeImages(encoder, pixels, count, deviceBatch);
  const features =
    featureType === 'int8'
      ? toInt8Features(halves, encoder.featuresShape)
      : new Uint8Array(halves.buffer);
  reply({ state: 'encoded', features }, [features.buffer]);
}

async function decode(
  { features, count, deviceBatch, options, featureType }: DecodeRequest,
  { decoder }: Loaded,
): Promise<void> {
  if (!decoder) throw new Error('this thread has not loaded the decoder');
  const values =
    featureType === 'int8'
      ? fromInt8Features(features, decoder.featuresShape)
      : new Uint16Array(features.buffer);
  const found = await captionFeatures(decoder, values, count, options, deviceBatch);
  reply({ state: 'decoded', captions: found.map(toImageCaptions) });
}

function toImageCaptions(found: Caption[]): ImageCaptions {
  const candidates = found.map(({ caption, logProb, score }) => ({
    caption,
    logProb: roundScore(logProb),
    score: roundScore(score),
  }));
  const [best] = candidates;
  if (!best) throw new RangeError('no caption satisfies the options: allow longer ones or repeats');
  const attention = found[0]?.attention?.map((weights) => Array.from(weights, roundScore));
  return { ...best, candidates, ...(attention && { attention }) };
}
