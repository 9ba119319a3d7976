import { z } from 'zod';

/**
 * How captions are searched for. The same object travels from the command line through run.json
 * and the jobs to beam search, so that every path decodes in the same way.
 */
export const captionOptionsSchema = z
  .strictObject({
    /** Hypotheses kept per image at each step (K). 1 is greedy search. */
    beamSize: z.int().min(1).max(50),
    /** Candidates returned per image, best first; at most `beamSize`. */
    candidates: z.int().min(1).max(50),
    /** Length normalisation: score = logProb / (words + 1) ** lengthPenalty. 0 turns it off. */
    lengthPenalty: z.number().min(0).max(5),
    /** Words at most, the end token not counted. */
    lengthMax: z.int().min(1).max(200),
    /** Words at least, the end token not counted; at most `lengthMax`. */
    lengthMin: z.int().min(0).max(200),
    /** No sequence of this many words occurs twice in a caption; 0 turns the rule off. */
    noRepeatNgram: z.int().min(0).max(10),
    /** Return where the model looked for each word (decoders with attention only). */
    attention: z.boolean(),
  })
  .refine(({ candidates, beamSize }) => candidates <= beamSize, {
    message: 'candidates must be at most beamSize',
    path: ['candidates'],
  })
  .refine(({ lengthMin, lengthMax }) => lengthMin <= lengthMax, {
    message: 'lengthMin must be at most lengthMax',
    path: ['lengthMin'],
  });

export type CaptionOptions = z.infer<typeof captionOptionsSchema>;
