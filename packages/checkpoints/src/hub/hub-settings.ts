/** Where the hub is, who asks, and where files are kept: the variables that Python's tools know. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { UserError } from '@cutline/shared/errors';

export interface HubSettings {
  /** A URL without a slash at its end. */
  endpoint: string;
  token?: string;
  /** Nothing is asked of the hub: what is cached has to do. */
  isOffline: boolean;
  /** Where repositories are kept, in folders `models--<organisation>--<name>`. */
  cacheFolder: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const endpointDefault = 'https://huggingface.co';

/**
 * From HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, HF_HOME and HF_HUB_CACHE. Without
 * HF_TOKEN, the token is that of `huggingface-cli login`, if there is one.
 *
 * @throws UserError that names the variable which is wrong. A token is never part of a message.
 */
export async function readHubSettings(env: Environment = process.env): Promise<HubSettings> {
  const cacheHome = variable(env, 'XDG_CACHE_HOME') ?? join(homedir(), '.cache');
  const home = expand(variable(env, 'HF_HOME') ?? join(cacheHome, 'huggingface'));
  const token = await readToken(env, home);
  return {
    endpoint: parseEndpoint(variable(env, 'HF_ENDPOINT') ?? endpointDefault),
    ...(token && { token }),
    isOffline: /^(1|on|yes|true)$/i.test(variable(env, 'HF_HUB_OFFLINE') ?? ''),
    cacheFolder: expand(variable(env, 'HF_HUB_CACHE') ?? join(home, 'hub')),
  };
}

/** What is set to nothing is not set. */
function variable(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined;
}

function expand(folder: string): string {
  return resolve(folder.replace(/^~(?=$|\/)/, homedir()));
}

function parseEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url && !url.username && !url.password && !url.search && !url.hash;
  if (!isPlain || !/^https?:$/.test(url.protocol)) {
    throw new UserError(
      `HF_ENDPOINT should be a URL like ${endpointDefault}, without a user or a query.`,
    );
  }
  return url.href.replace(/\/+$/, '');
}

async function readToken(env: Environment, home: string): Promise<string | undefined> {
  const given = variable(env, 'HF_TOKEN');
  if (given) return checkToken(given, 'HF_TOKEN');
  const givenPath = variable(env, 'HF_TOKEN_PATH');
  const path = expand(givenPath ?? join(home, 'token'));
  try {
    const text = (await readFile(path, 'utf8')).trim();
    return text === '' ? undefined : checkToken(text, path);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT' && !givenPath) return undefined;
    const what = givenPath ? 'HF_TOKEN_PATH' : 'the token of the Hugging Face hub';
    throw new UserError(`${what}: ${path} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}

/** It becomes part of a header. */
function checkToken(token: string, source: string): string {
  if (/^[\x21-\x7e]{1,1000}$/.test(token)) return token;
  throw new UserError(`${source} is not a token of the Hugging Face hub, which look like hf_….`);
}
