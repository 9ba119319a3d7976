import { type CaptionOptions, modelId } from '@cutline/captioner';
import { z } from 'zod';

/**
 * model.json of a model whose numbers live elsewhere: behind a server that speaks the protocol of
 * OpenAI's chat completions (vLLM, SGLang, Ollama, llama.cpp, a hosted API). It says where that is
 * and what is asked, and holds no secret: a key is named by its environment variable.
 */

/** How large a model.json may say that things are. */
export const servedRanges = {
  imageSide: { min: 32, max: 8192 },
  jpegQuality: { min: 1, max: 100 },
  answerTokens: { min: 1, max: 100_000 },
} as const;

const wholeNumber = ({ min, max }: { min: number; max: number }) => z.int().min(min).max(max);

export const answerFormats = ['text', 'json'] as const;
export type AnswerFormat = (typeof answerFormats)[number];

/** What not every server takes; found out when the model is added. */
const requestSchema = z.strictObject({
  /** 0, or null where the server knows only its own. */
  temperature: z.literal(0).nullable(),
  seed: z.literal(0).nullable(),
  /** Whether log-probabilities are asked for. */
  logProbs: z.boolean(),
  /** Whether the server itself holds answers to the JSON schema. */
  jsonSchema: z.boolean(),
  /** What the limit of an answer's tokens is called. */
  tokenLimit: z.enum(['max_tokens', 'max_completion_tokens']),
});

export type RequestTraits = z.infer<typeof requestSchema>;

const servedSchema = z.strictObject({
  /** 4 came with models behind servers. */
  formatVersion: z.literal(4),
  kind: z.literal('server'),
  name: z.string().regex(/^[a-z0-9]+([.-][a-z0-9]+)*$/, 'must be lower-case-words-and-digits'),
  description: z.string(),
  server: z.strictObject({
    protocol: z.literal('openai'),
    /** Up to and including `/v1`. */
    url: z.url({ protocol: /^https?$/ }),
    /** As the server calls it. */
    model: z.string().min(1),
    /** Environment variable that holds the key; null where none is asked for. */
    apiKeyVariable: z
      .string()
      .regex(/^[A-Za-z_]\w*$/)
      .nullable(),
  }),
  /** Images are sent upright, as sRGB JPEGs whose longer side has so many pixels at most. */
  image: z.strictObject({
    sideMax: wholeNumber(servedRanges.imageSide),
    jpegQuality: wholeNumber(servedRanges.jpegQuality),
  }),
  /** With places in braces: `{key}`, and columns of a list of keys. */
  prompt: z.string().min(1).max(20_000),
  answer: z.strictObject({
    format: z.enum(answerFormats),
    tokensMax: wholeNumber(servedRanges.answerTokens),
  }),
  request: requestSchema,
  /** US dollars for a million tokens; null where nobody sends a bill. */
  price: z
    .strictObject({ prompt: z.number().nonnegative(), completion: z.number().nonnegative() })
    .nullable(),
  /** What the made-up image took that was asked about when the model was added. */
  measured: z
    .strictObject({
      promptTokens: z.int().nonnegative(),
      completionTokens: z.int().nonnegative(),
      seconds: z.number().nonnegative(),
    })
    .nullable(),
  licence: z.string(),
});

export type ServedDescription = z.infer<typeof servedSchema>;

/** What the rest of a program needs to know of a model behind a server. */
export interface ServedModel {
  kind: 'served';
  /** `<name>@<12 hexadecimal digits>`: of all that decides what is asked, and what it costs. */
  id: string;
  /** A server searches by its own rules; this is what they amount to. */
  decoding: CaptionOptions;
  attends: false;
  description: ServedDescription;
}

/** @throws Error that starts with `model.json` and lists everything that is wrong. */
export function parseServedDescription(json: unknown): ServedDescription {
  const parsed = servedSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`model.json: ${issues.join('; ')}`);
}

export function summariseServed(description: ServedDescription): ServedModel {
  // A server that moved, or was measured again, says the same.
  const { server, measured, licence, description: about, ...rest } = description;
  const { protocol, model } = server;
  return {
    kind: 'served',
    id: modelId({ ...rest, server: { protocol, model } }),
    decoding: {
      ...{ beamSize: 1, candidates: 1, lengthPenalty: 0, lengthMin: 0, noRepeatNgram: 0 },
      lengthMax: Math.min(description.answer.tokensMax, 200),
      attention: false,
    },
    attends: false,
    description,
  };
}
