import { UserError } from '@cutline/shared/errors';
import { ChatServer } from './chat-server.ts';
import type { ServedDescription, ServedModel } from './served-description.ts';
import { ServerError } from './server-error.ts';

/** The server of a model, with the key that its environment variable holds. */

/** @throws UserError where the variable is not set */
export function openServer(
  { name, server }: Pick<ServedDescription, 'name' | 'server'>,
  { url = server.url, timeoutMs }: { url?: string | undefined; timeoutMs: number },
  environment: NodeJS.ProcessEnv = process.env,
): ChatServer {
  const { apiKeyVariable } = server;
  const apiKey = apiKeyVariable === null ? undefined : environment[apiKeyVariable]?.trim();
  if (apiKeyVariable !== null && !apiKey) {
    throw new UserError(
      `The server of the model ${name} wants a key: set the environment variable ${apiKeyVariable}.`,
    );
  }
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new UserError(
      `The key in the environment variable ${apiKeyVariable} has characters that no key has (a line ` +
        'break, a space, quotes of a text processor): copy it again.',
    );
  }
  return new ChatServer({ url, apiKey, timeoutMs });
}

/**
 * Makes sure that the server answers, knows us, and serves the model.
 * @throws UserError where a person has to put something right
 * @throws ServerError `unavailable`, where it may answer later
 */
export async function checkServer(server: ChatServer, model: ServedModel): Promise<void> {
  const { name, server: asked } = model.description;
  let models: string[];
  try {
    models = await server.models();
  } catch (error) {
    throw forUser(error, model.description);
  }
  if (models.length > 0 && !models.includes(asked.model)) {
    throw new UserError(
      `The server of the model ${name} does not serve "${asked.model}", but ${listed(models)}: add ` +
        'the model again (cutline model add), or start the server with it.',
    );
  }
}

/** What a person has to put right, as such; any other error as it is. */
export function forUser(
  error: unknown,
  { name, server }: Pick<ServedDescription, 'name' | 'server'>,
) {
  if (!(error instanceof ServerError) || error.fault === 'unavailable') return error;
  const { apiKeyVariable } = server;
  const advice =
    apiKeyVariable === null
      ? 'look at its address, its model, and whether it wants a key (--api-key-variable)'
      : `look at its address, its model, and the key in ${apiKeyVariable}`;
  return new UserError(`The model ${name}: ${error.message}; ${advice}.`, { cause: error });
}

const listedMax = 5;

export function listed(models: readonly string[]): string {
  const shown = models.slice(0, listedMax).map((name) => `"${name}"`);
  return shown.join(', ') + (models.length > listedMax ? ', …' : '');
}
