import type { Answer } from './answer.ts';
import type { ChatServer } from './chat-server.ts';
import { madeUpJpeg } from './made-up-jpeg.ts';
import { fillPrompt } from './prompt-places.ts';
import type { RequestTraits, ServedDescription } from './served-description.ts';
import { ServerError } from './server-error.ts';

/**
 * Finds out what a server takes, by asking it about a made-up image: with all that Cutline would
 * like to say, and without whatever it refuses by name, one after another.
 *
 * @returns what it takes, and its answer
 * @throws ServerError where it takes none
 */
export async function probeServer(
  server: ChatServer,
  model: ServedDescription,
): Promise<{ request: RequestTraits; answer: Answer }> {
  const { prompt, image } = model;
  const { text } = fillPrompt(prompt, { key: 'made-up.jpg' });
  const jpeg = await madeUpJpeg(image.sideMax);
  let { request } = model;
  for (;;) {
    try {
      return { request, answer: await server.ask({ text, jpeg }, { ...model, request }) };
    } catch (error) {
      const less = error instanceof ServerError ? withoutRefused(request, error) : undefined;
      if (!less) throw error;
      request = less;
    }
  }
}

/** What to ask for at first. */
export const everything: RequestTraits = {
  temperature: 0,
  seed: 0,
  logProbs: true,
  jsonSchema: true,
  tokenLimit: 'max_tokens',
};

/** What is left without the parameter that an error names; undefined where it names none of ours. */
function withoutRefused(
  request: RequestTraits,
  { fault, message, parameter = '' }: ServerError,
): RequestTraits | undefined {
  if (fault !== 'rejected') return undefined;
  const names = (name: string) => parameter.startsWith(name) || message.includes(name);
  if (request.tokenLimit === 'max_tokens' && names('max_tokens')) {
    return { ...request, tokenLimit: 'max_completion_tokens' };
  }
  if (request.logProbs && names('logprobs')) return { ...request, logProbs: false };
  if (request.seed !== null && names('seed')) return { ...request, seed: null };
  if (request.temperature !== null && names('temperature'))
    return { ...request, temperature: null };
  if (request.jsonSchema && (names('response_format') || names('json_schema'))) {
    return { ...request, jsonSchema: false };
  }
  return undefined;
}
