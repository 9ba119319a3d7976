import { costOf, type Usage } from '@cutline/shared/run';
import { z } from 'zod';
import { roundScore } from '../round-score.ts';
import type { Answer } from './answer.ts';
import { explainResponse, isModerated, oneLine } from './explain-response.ts';
import type { ServedDescription } from './served-description.ts';
import { ServerError } from './server-error.ts';

/** What is asked of one image. */
export interface Question {
  text: string;
  jpeg: Uint8Array;
}

export interface ChatServerOptions {
  /** Where it is, up to and including `/v1`. */
  url: string;
  apiKey?: string | undefined;
  /** From a request to the end of its answer, in milliseconds. */
  timeoutMs: number;
}

/** Of an answer: a caption has a few hundred. */
const bodyBytesMax = 4 * 1024 * 1024;

/**
 * A server that speaks the protocol of OpenAI's chat completions
 * (https://platform.openai.com/docs/api-reference/chat), asked one question at a time and nothing
 * twice: patience is the caller's. The key is in no message of its errors.
 */
export class ChatServer {
  readonly #options: ChatServerOptions;

  constructor(options: ChatServerOptions) {
    this.#options = options;
  }

  /** Names of the models that it serves. @throws ServerError */
  async models(signal?: AbortSignal): Promise<string[]> {
    const { body } = await this.#exchange('models', undefined, signal);
    const list = parseAs(z.looseObject({ data: z.array(z.looseObject({ id: z.string() })) }), body);
    return list.data.map(({ id }) => id);
  }

  /** @throws ServerError */
  async ask(
    { text, jpeg }: Question,
    model: Pick<ServedDescription, 'server' | 'answer' | 'request' | 'price'>,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const { answer, request, server, price } = model;
    const image = `data:image/jpeg;base64,${Buffer.from(jpeg).toString('base64')}`;
    const content = [
      { type: 'image_url', image_url: { url: image } },
      { type: 'text', text },
    ];
    const question = {
      model: server.model,
      messages: [{ role: 'user', content }],
      [request.tokenLimit]: answer.tokensMax,
      ...(request.temperature !== null && { temperature: request.temperature }),
      ...(request.seed !== null && { seed: request.seed }),
      ...(request.logProbs && { logprobs: true }),
      ...(answer.format === 'json' && request.jsonSchema && { response_format: captionFormat }),
    };
    try {
      const { body, seconds } = await this.#exchange('chat/completions', question, signal);
      return toAnswer(parseAs(completionSchema, body), seconds, price);
    } catch (error) {
      if (!(error instanceof ServerError) || !isModerated(error)) throw error;
      const usage = { promptTokens: 0, completionTokens: 0, seconds: 0 };
      const text = error.message;
      return { ...{ text, end: 'refusal', logProb: null, tokens: 0 }, usage, warnings: [] };
    }
  }

  async #exchange(
    path: string,
    question: unknown,
    signal: AbortSignal | undefined,
  ): Promise<{ body: string; seconds: number }> {
    const { url, apiKey, timeoutMs } = this.#options;
    const deadline = AbortSignal.timeout(timeoutMs);
    const started = performance.now();
    let response: Response;
    let body: string;
    try {
      response = await fetch(endpoint(url, path), {
        headers: {
          ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
          ...(question !== undefined && { 'content-type': 'application/json' }),
        },
        ...(question !== undefined && { method: 'POST', body: JSON.stringify(question) }),
        redirect: 'error', // it would take the key elsewhere
        signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      });
      body = await readText(response);
    } catch (cause) {
      signal?.throwIfAborted();
      throw this.#conceal(explainNoResponse(cause, timeoutMs));
    }
    if (!response.ok) {
      throw this.#conceal(explainResponse(response.status, response.headers, body));
    }
    return { body, seconds: Math.round(performance.now() - started) / 1000 };
  }

  /** Servers that refuse a key like to quote it. */
  #conceal(error: ServerError): ServerError {
    const { apiKey } = this.#options;
    if (apiKey === undefined || apiKey === '') return error;
    const { fault, retryAfterMs, isThrottled, parameter } = error;
    const message = error.message.replaceAll(apiKey, '***').replaceAll(/\bsk-[\w*-]{4,}/g, '***');
    return new ServerError(fault, message, { retryAfterMs, isThrottled, parameter });
  }
}

/** Where a path is below the server's address, which may have a query of its own. */
function endpoint(base: string, path: string): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`;
  return url;
}

const certificateFaults = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|ERR_SSL/;

function explainNoResponse(cause: unknown, timeoutMs: number): ServerError {
  if (cause instanceof ServerError) return cause;
  const { name, message, cause: reason } = cause as Error;
  if (name === 'TimeoutError') {
    return new ServerError('unavailable', `the server gave no answer in ${timeoutMs} ms`);
  }
  const inner = reason instanceof Error ? reason : undefined;
  const code = String((inner as NodeJS.ErrnoException | undefined)?.code ?? '');
  const why = oneLine(code || inner?.message || message);
  const isLasting = certificateFaults.test(code) || /redirect/.test(inner?.message ?? '');
  return new ServerError(
    isLasting ? 'misconfigured' : 'unavailable',
    `the server cannot be reached (${why})`,
  );
}

/** @throws ServerError where there is no end to it */
async function readText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength;
    if (bytes > bodyBytesMax) {
      throw new ServerError(
        'unavailable',
        `the server answers with more than ${bodyBytesMax} bytes`,
      );
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parseAs<T>(schema: z.ZodType<T>, body: string): T {
  try {
    return schema.parse(JSON.parse(body));
  } catch (cause) {
    throw new ServerError(
      'unavailable',
      'the server answers 200, but not as OpenAI’s protocol has it',
      {
        cause,
      },
    );
  }
}

/** The JSON schema that answers are held to, where the server can do that. */
const captionFormat = {
  type: 'json_schema',
  json_schema: {
    name: 'caption',
    strict: true,
    schema: {
      type: 'object',
      properties: {
        caption: { type: 'string' },
        altText: { type: 'string' },
        keywords: { type: 'array', items: { type: 'string' } },
        visibleText: { type: 'string' },
      },
      required: ['caption', 'altText', 'keywords', 'visibleText'],
      additionalProperties: false,
    },
  },
};

const count = z.int().nonnegative();
const completionSchema = z.looseObject({
  choices: z
    .array(
      z.looseObject({
        finish_reason: z.string().nullish(),
        message: z.looseObject({ content: z.string().nullish(), refusal: z.string().nullish() }),
        logprobs: z
          .looseObject({ content: z.array(z.looseObject({ logprob: z.number() })).nullish() })
          .nullish(),
      }),
    )
    .min(1),
  usage: z
    .looseObject({ prompt_tokens: count.nullish(), completion_tokens: count.nullish() })
    .nullish(),
});

function toAnswer(
  { choices: [choice], usage: used }: z.infer<typeof completionSchema>,
  seconds: number,
  price: ServedDescription['price'],
): Answer {
  if (!choice) throw new Error('expected a choice');
  const { message, finish_reason: finish, logprobs } = choice;
  const tokens = {
    promptTokens: used?.prompt_tokens ?? 0,
    completionTokens: used?.completion_tokens ?? 0,
  };
  const usage: Usage = { ...tokens, seconds, ...(price && { costUsd: costOf(tokens, price) }) };
  const isRefusal = Boolean(message.refusal) || finish === 'content_filter';
  const logProbs = (logprobs?.content ?? []).map(({ logprob }) => logprob);
  return {
    text: message.content || message.refusal || '',
    end: isRefusal ? 'refusal' : finish === 'length' ? 'length' : 'stop',
    logProb: sumOf(logProbs),
    tokens: logProbs.length,
    usage,
    warnings: [],
  };
}

/** null where there is none that is finite. */
function sumOf(logProbs: readonly number[]): number | null {
  const sum = roundScore(logProbs.reduce((total, each) => total + each, 0));
  return logProbs.length > 0 && Number.isFinite(sum) ? sum : null;
}
