import type { Metrics } from '@cutline/shared/process';
import type { ImageRef } from '@cutline/shared/run';
import type { ObjectStore } from '@cutline/shared/stores';
import pLimit from 'p-limit';
import type { EncodeLimits } from '../encode-images.ts';
import { decodeParallelism } from '../open-image.ts';
import { prepareImages } from '../prepare-images.ts';
import type { DecodeStage, EncodedImages, EncodeStage } from '../stages/stage.ts';
import { type Answer, packAnswers, unpackAnswers } from './answer.ts';
import { askAboutImage } from './ask-about-image.ts';
import type { ChatServer } from './chat-server.ts';
import { madeUpJpeg } from './made-up-jpeg.ts';
import { forUser } from './open-server.ts';
import { PatientAsker } from './patient-asker.ts';
import { fillPrompt } from './prompt-places.ts';
import { nameRepeated, readCaption } from './read-caption.ts';
import type { ServedModel } from './served-description.ts';

/**
 * The stages of a model behind a server. The encode stage fetches and prepares images, and asks;
 * the decode stage reads the answers. What costs is asked for once, where it can be helped: answers
 * wait for a decoder as features do.
 */

/**
 * How long a batch may take, in milliseconds; images that have no answer by then wait for a later
 * one. A worker that has a batch in hand for a quarter of an hour counts as hanging.
 */
const batchMsMax = 8 * 60_000;

/** A server that has answered so lately is well, in milliseconds. */
const provenMs = 60_000;

export function servedEncodeStage(
  model: ServedModel,
  server: ChatServer,
  { limits, metrics, concurrency }: { limits: EncodeLimits; metrics: Metrics; concurrency: number },
): EncodeStage {
  const { fetchAttempts: attempts, retryBaseMs, imagePixelsMax, decodeTimeoutMs } = limits;
  const asker = new PatientAsker({ concurrency, attempts, retryBaseMs, metrics });
  const preparing = pLimit(decodeParallelism());
  const decodeLimits = { pixelsMax: imagePixelsMax, timeoutMs: decodeTimeoutMs };
  const prove = new Proof(async () => {
    const jpeg = await madeUpJpeg();
    const { text } = fillPrompt(model.description.prompt, { key: 'made-up.jpg' });
    await server.ask({ text, jpeg }, model.description);
  });
  // While as many wait for answers as may, the next ones are fetched and prepared.
  const fetchConcurrency = concurrency + decodeParallelism();

  async function encode(images: readonly ImageRef[], store: ObjectStore): Promise<EncodedImages> {
    const deadlineMs = asker.now() + batchMsMax;
    const context = { store, limits: { ...limits, fetchConcurrency }, metrics };
    const prepared = await prepareImages(images, context, (bytes, image, signal) =>
      askAboutImage(bytes, image, {
        model,
        prepare: (work) => preparing(() => metrics.time('preprocess', work)),
        limits: decodeLimits,
        ask: (question) =>
          asker.ask(() => server.ask(question, model.description, signal), { deadlineMs, signal }),
        prove: async () => {
          if (!asker.hasAnsweredWithin(provenMs)) await prove.ask();
        },
      }),
    );
    const outcomes = prepared.map(({ outcome }) => outcome);
    const answers = prepared.flatMap(({ value }): Answer[] => (value ? [value] : []));
    if (answers.length === 0) return { outcomes, features: undefined };
    const payload = packAnswers(answers);
    return { outcomes, features: { dtype: 'answers', shape: [answers.length], payload } };
  }

  return {
    model: model.id,
    encode,
    prove: () => prove.ask(),
    requireReady: () =>
      asker.requireAnswer(async () => {
        await prove.ask().catch((error) => {
          throw forUser(error, model.description);
        });
      }),
    busy: () => asker.busy(),
  };
}

export function servedDecodeStage(model: ServedModel): DecodeStage {
  const { format } = model.description.answer;
  return {
    model: model.id,
    jobConcurrency: 4, // they do little but wait for stores
    async decode({ dtype, payload }) {
      if (dtype !== 'answers') throw new Error(`expected answers of a server, got ${dtype}`);
      return nameRepeated(unpackAnswers(payload).map((answer) => readCaption(answer, format)));
    },
    prove: async () => {},
    busy: () => ({ seconds: 0, threads: 0 }),
  };
}

/** Asks about a made-up image; whoever wants to know at the same time is told the same. */
class Proof {
  readonly #ask: () => Promise<void>;
  #asking: Promise<void> | undefined;

  constructor(ask: () => Promise<void>) {
    this.#ask = ask;
  }

  ask(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }
}
