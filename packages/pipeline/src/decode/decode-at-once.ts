import { countEncoded, type HandOver } from '../encode/hand-over.ts';
import { type DecodeBatchContext, decodeEncoded } from './decode-batch.ts';

/**
 * Decodes a batch where it was encoded, in the same job: no features cross Redis, and no second job.
 * What the decode stage does with a batch is what it does with one from its queue; only that a batch
 * which is tried again may be another then, with other images readable, which the part settles.
 */
export function decodeAtOnce(context: Omit<DecodeBatchContext, 'openFeatures'>): HandOver {
  const decoding = {
    ...context,
    openFeatures: async (): Promise<never> => {
      throw new Error('features are at hand, and not in flight');
    },
  };
  return async (job, features, jobContext) => {
    await countEncoded(context, job);
    await decodeEncoded(decoding, job, features, jobContext);
  };
}
