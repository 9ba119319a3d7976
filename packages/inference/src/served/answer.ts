import { type Failure, type Usage, usageSchema } from '@cutline/shared/run';
import { z } from 'zod';

/**
 * What a server said of one image: that is what travels from the encode stage to the decode stage
 * of such a model, as one JSON array a batch.
 */
export const answerSchema = z.strictObject({
  /** As it came; empty where it said nothing. */
  text: z.string(),
  /** How it ended: by itself, at the limit of its length, or with a refusal. */
  end: z.enum(['stop', 'length', 'refusal']),
  /** Sum of the natural-log probabilities of its tokens; null where the server tells none. */
  logProb: z.number().nullable(),
  /** Tokens of which it is the sum. */
  tokens: z.int().nonnegative(),
  usage: usageSchema,
  /** What was not as it should be about the question. */
  warnings: z.array(z.string()),
});

export type Answer = z.infer<typeof answerSchema>;

const answersSchema = z.array(answerSchema);

export function packAnswers(answers: readonly Answer[]): Uint8Array {
  return Buffer.from(JSON.stringify(answers));
}

/** @throws Error where they are not what `packAnswers` makes. */
export function unpackAnswers(payload: Uint8Array): Answer[] {
  return answersSchema.parse(JSON.parse(Buffer.from(payload).toString('utf8')));
}

/** An answer that is no caption. */
export interface NoCaption {
  failure: Failure;
  usage: Usage;
}
