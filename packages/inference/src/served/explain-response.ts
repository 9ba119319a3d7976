import { ServerError } from './server-error.ts';

/**
 * What a server means that does not answer with 200: by status, and by what OpenAI's protocol puts
 * into the body (`error.code`, `error.type`, `error.message`), as far as servers keep to it.
 */
export function explainResponse(status: number, headers: Headers, body: string): ServerError {
  const { message, code, parameter } = readError(body);
  const said = `the server answers ${status}${message === '' ? '' : `: ${message}`}`;
  const about = `${code} ${message}`;
  if (status === 429 && !/insufficient_quota/.test(code)) {
    const retryAfterMs = readRetryAfter(headers);
    return new ServerError('unavailable', said, { retryAfterMs, isThrottled: true });
  }
  if (status === 408 || status === 409 || status === 425 || status >= 500) {
    return new ServerError('unavailable', said, { retryAfterMs: readRetryAfter(headers) });
  }
  if (status === 413 || (status !== 401 && overflow.test(about))) {
    return new ServerError('overflow', said);
  }
  if (status === 400 || status === 422) return new ServerError('rejected', said, { parameter });
  return new ServerError('misconfigured', said);
}

const overflow =
  /context.?(length|window|size)|maximum (model|context|sequence) len|too (long|large|many (image )?tokens)|longer than the maximum/i;

/** Whether a server refused for what is in the image. */
export function isModerated(error: ServerError): boolean {
  return /content.?(policy|filter)|moderation|safety system/i.test(error.message);
}

/** `{"error": {"message", "type", "code", "param"}}`, `{"error": "…"}`, `{"detail": "…"}`, or text. */
function readError(body: string): { message: string; code: string; parameter?: string } {
  let error: unknown;
  try {
    const json = JSON.parse(body) as Record<string, unknown> | null;
    error = json?.error ?? json?.detail ?? json?.message ?? json;
  } catch {
    return { message: oneLine(body.startsWith('<') ? '' : body), code: '' };
  }
  if (error === null || typeof error !== 'object') return { message: oneLine(error), code: '' };
  const { message, code, type, param } = error as Record<string, unknown>;
  const parameter = typeof param === 'string' ? param : undefined;
  return {
    message: oneLine(message ?? JSON.stringify(error)),
    code: `${code ?? ''} ${type ?? ''}`,
    ...(parameter !== undefined && { parameter }),
  };
}

const messageCharactersMax = 300;

export function oneLine(text: unknown): string {
  return String(text)
    .replaceAll(/[\p{Cc}\u2028\u2029\s]+/gu, ' ')
    .trim()
    .slice(0, messageCharactersMax);
}

/** RFC 9110, 10.2.3: seconds or a date. Some servers say milliseconds besides. */
function readRetryAfter(headers: Headers): number | undefined {
  const ms = Number(headers.get('retry-after-ms') ?? Number.NaN);
  if (ms >= 0) return ms;
  const text = headers.get('retry-after');
  if (text === null) return undefined;
  const seconds = Number(text);
  if (seconds >= 0) return seconds * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
