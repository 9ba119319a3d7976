import { z } from 'zod';

/**
 * How captions are searched for. model.json gives a model's defaults in this form; from the command
 * line the same object travels through run.json and the jobs to beam search, so that every path
 * decodes in the same way.
 *
 * It has an entry of its own in the package, since whoever only carries options needs no tensors.
 */

/** What each number may be, ends included. */
export const captionRanges = {
  beamSize: { min: 1, max: 50 },
  candidates: { min: 1, max: 50 },
  lengthPenalty: { min: 0, max: 5 },
  lengthMax: { min: 1, max: 200 },
  lengthMin: { min: 0, max: 200 },
  noRepeatNgram: { min: 0, max: 10 },
} as const;

/** Of a prompt: a model of captions was never shown longer ones. */
export const promptCharactersMax = 200;

const wholeNumber = ({ min, max }: { min: number; max: number }) => z.int().min(min).max(max);
const { min: penaltyMin, max: penaltyMax } = captionRanges.lengthPenalty;

export const captionOptionsSchema = z
  .strictObject({
    /** Hypotheses kept per image at each step (K). 1 is greedy search. */
    beamSize: wholeNumber(captionRanges.beamSize),
    /** Candidates returned per image, best first; at most `beamSize`. */
    candidates: wholeNumber(captionRanges.candidates),
    /** Length normalisation α: score = logProb / (words + 1)^α. 0 turns it off. */
    lengthPenalty: z.number().min(penaltyMin).max(penaltyMax),
    /**
     * Words at most, the end token not counted; in models whose words are pieces of words, those.
     * With `stopEarly` the end token counts, and a caption that has not ended by then is cut off.
     */
    lengthMax: wholeNumber(captionRanges.lengthMax),
    /** Words at least, the end token not counted; at most `lengthMax`. */
    lengthMin: wholeNumber(captionRanges.lengthMin),
    /** No sequence of this many words occurs twice in a caption; 0 turns the rule off. */
    noRepeatNgram: wholeNumber(captionRanges.noRepeatNgram),
    /**
     * Search as published transformers are searched (transformers' `generate`): an end counts only
     * among the K best continuations, and the search is over once K captions have ended and the best
     * of the others scores, as it stands, no better than the worst of those. Absent: no. Then the
     * search goes on as long as anything that could follow might win.
     */
    stopEarly: z.boolean().optional(),
    /** What captions begin with. Its words are in the caption, and neither scored nor counted. */
    prompt: z.string().min(1).max(promptCharactersMax).optional(),
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
