/**
 * What may go wrong with a hub: what passes by itself (`PassingError`, tried again), bytes that are
 * not those that were published (`MismatchError`, fetched once more), and what somebody has to put
 * right (`UserError`).
 */
import { UserError } from '@cutline/shared/errors';
import { quote } from '../files/quote.ts';
import { type Hub, hostOf } from './hub.ts';

export class PassingError extends Error {
  override readonly name = 'PassingError';
  /** What the server asked for. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    { retryAfterMs, ...options }: ErrorOptions & { retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

export class MismatchError extends Error {
  override readonly name = 'MismatchError';
}

/** What is asked of the hub. */
export interface Subject {
  repo: string;
  revision: string;
  file?: string;
}

/** What a reply means that is not what was asked for. */
export function errorOfReply(hub: Hub, response: Response, subject: Subject): Error {
  const { status, headers } = response;
  const host = new URL(response.url || hub.settings.endpoint).host;
  if (status === 408 || status === 429 || status >= 500) {
    return new PassingError(`${host} answers ${status}`, {
      retryAfterMs: retryAfterOf(headers.get('retry-after')),
    });
  }
  return new UserError(adviceOf(hub, response, subject, host));
}

function adviceOf(hub: Hub, response: Response, subject: Subject, host: string): string {
  const { endpoint, token } = hub.settings;
  const { repo, revision, file } = subject;
  const { status, headers } = response;
  const page = `${endpoint}/${repo}`;
  const said = headers.get('x-error-message');
  switch (headers.get('x-error-code')) {
    case 'GatedRepo':
      return token
        ? `${repo} is gated: accept its licence at ${page} with the account whose token this is.`
        : `${repo} is gated: accept its licence at ${page}, and set HF_TOKEN to your token.`;
    case 'RevisionNotFound':
      return `${repo} has no revision ${quote(revision)}: see ${page}/tree/main for those it has.`;
    case 'EntryNotFound':
      return `${repo} has no file ${quote(file ?? '')} at revision ${quote(revision)}.`;
    case 'RepoNotFound':
      if (status !== 401 || !/credential|token/i.test(said ?? '')) return unknownRepo(hub, repo);
  }
  if (status === 401 && token) {
    return `${host} does not accept the token: set HF_TOKEN to one of ${endpoint}/settings/tokens.`;
  }
  if (status === 401 || (status === 404 && !file)) return unknownRepo(hub, repo);
  if (status === 404) return `${repo} has no file ${quote(file ?? '')} at ${quote(revision)}.`;
  const what = said ? `${status} (${quote(said)})` : String(status);
  return `${host} answers ${what} for ${repo}${status === 403 ? ': may your token read it?' : '.'}`;
}

function unknownRepo(hub: Hub, repo: string): string {
  const advice = hub.settings.token
    ? 'if it is private, HF_TOKEN has to be a token that may read it'
    : 'if it is private, set HF_TOKEN to a token that may read it';
  return `${hostOf(hub)} has no repository ${repo}: check how it is spelt; ${advice}.`;
}

/** After all tries. */
export function givenUp(hub: Hub, error: PassingError): UserError {
  const advice = /answers \d/.test(error.message)
    ? 'try again later'
    : 'check the network, set HF_ENDPOINT to a mirror, or HF_HUB_OFFLINE=1 to use what is cached';
  return new UserError(`${error.message}, after ${hub.patience.triesMax} tries: ${advice}.`, {
    cause: error,
  });
}

/** Seconds, or a date. */
function retryAfterOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(ms, 0) : undefined;
}

/** Errors of `fetch`, and of reading what it gives; anything else stays as it is. */
export function errorOfConnection(error: unknown, url: string): unknown {
  const isOfFetch =
    error instanceof TypeError && ['fetch failed', 'terminated'].includes(error.message);
  if (!isOfFetch) return error;
  const { host } = new URL(url);
  const { code = '', message = '' } = (error.cause ?? {}) as NodeJS.ErrnoException;
  if (/CERT|UNABLE_TO_|ERR_TLS/.test(code)) {
    return new UserError(
      `The certificate of ${host} is not trusted (${code}): if a proxy of yours signs it, set ` +
        'NODE_EXTRA_CA_CERTS to its certificate.',
      { cause: error },
    );
  }
  return new PassingError(`${host} cannot be reached (${code || message || error.message})`, {
    cause: error,
  });
}

/** Errors of the file system that somebody has to see to; anything else stays as it is. */
export function errorOfCache(error: unknown, folder: string): unknown {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new UserError(
      `No space is left in ${folder}: free some, or set HF_HUB_CACHE to a folder with more.`,
      { cause: error },
    );
  }
  if (code && ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR'].includes(code)) {
    return new UserError(
      `${folder} cannot be written (${(error as Error).message}): set HF_HUB_CACHE to a folder ` +
        'that can.',
      { cause: error },
    );
  }
  return error;
}
