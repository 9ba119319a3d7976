import { ImageError } from '@cutline/shared/errors';
import type { ImageRef } from '@cutline/shared/run';
import type { DecodeLimits } from '../open-image.ts';
import type { Prepared } from '../prepare-images.ts';
import type { Answer } from './answer.ts';
import type { Question } from './chat-server.ts';
import { forUser } from './open-server.ts';
import { prepareJpeg } from './prepare-jpeg.ts';
import { fillPrompt } from './prompt-places.ts';
import type { ServedModel } from './served-description.ts';
import { ServerError } from './server-error.ts';

/** An image that is more than the server takes at once is sent smaller, this many times. */
const halvingsMax = 3;

export interface AskContext {
  model: ServedModel;
  limits: DecodeLimits;
  /** Runs what prepares an image, when it is its turn. */
  prepare: <T>(work: () => Promise<T>) => Promise<T>;
  /** Asks, with patience. @throws ServerError */
  ask: (question: Question) => Promise<Answer>;
  /** Asks about a made-up image. @throws ServerError */
  prove: () => Promise<void>;
}

/**
 * One image and its prompt to the server's answer.
 *
 * @throws ImageError where the image cannot be decoded, or the server does not take it
 * @throws ServerError `unavailable`
 * @throws UserError where the server takes no image, from here: a key, a name or an address is wrong
 */
export async function askAboutImage(
  bytes: Buffer,
  { key, columns }: Pick<ImageRef, 'key' | 'columns'>,
  { model, limits, prepare, ask, prove }: AskContext,
): Promise<Prepared<Answer>> {
  const { prompt, image } = model.description;
  const { text, missing } = fillPrompt(prompt, { key, columns });
  const warnings = missing.map((name) => `the list of keys has no ${name} for it`);
  let { sideMax } = image;
  for (let halvings = 0; ; halvings++) {
    const { jpeg, ...size } = await prepare(() =>
      prepareJpeg(bytes, { ...image, sideMax }, limits),
    );
    try {
      const answer = await ask({ text, jpeg });
      return { value: { ...answer, warnings: [...warnings, ...answer.warnings] }, ...size };
    } catch (error) {
      if (!(error instanceof ServerError) || error.fault === 'unavailable') throw error;
      if (error.fault === 'misconfigured') throw forUser(error, model.description);
      if (error.fault === 'rejected' || halvings === halvingsMax) {
        await requireAnswer(prove, model);
        throw new ImageError('refused', error.message, { cause: error });
      }
      sideMax = Math.max(1, Math.floor(Math.min(sideMax, Math.max(size.width, size.height)) / 2));
      warnings[missing.length] =
        `sent with ${sideMax} pixels: larger, it is more than the server takes`;
    }
  }
}

/** Before an image is blamed: where the server takes no other either, it is not the image's fault. */
async function requireAnswer(prove: () => Promise<void>, { description }: ServedModel) {
  try {
    await prove();
  } catch (error) {
    throw forUser(error, description);
  }
}
