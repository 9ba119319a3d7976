/**
 * One request and its reply, over HTTP, with redirects followed by hand: the token goes to the hub
 * and to nobody else, and a redirect to the place where a large file lies can be looked at instead.
 */
import { UserError } from '@cutline/shared/errors';
import type { Hub } from './hub.ts';
import { errorOfConnection, PassingError } from './hub-errors.ts';

export interface HubRequest {
  method: 'GET' | 'HEAD';
  url: string;
  headers?: Record<string, string>;
  /** A redirect that is the answer. */
  isAnswer?(response: Response): boolean;
}

const redirectsMax = 10;

/**
 * @param receive reads the reply, and calls `onAlive` for every piece that arrives.
 * @throws PassingError when the connection fails or stalls; the signal's reason; what `receive` does.
 */
export async function exchange<Result>(
  hub: Hub,
  request: HubRequest,
  receive: (response: Response, onAlive: () => void) => Promise<Result>,
): Promise<Result> {
  const { stallMs } = hub.patience;
  const end = new AbortController();
  let isStalled = false;
  const stall = () => {
    isStalled = true;
    end.abort();
  };
  let timer = setTimeout(stall, stallMs);
  const onAlive = () => {
    clearTimeout(timer);
    timer = setTimeout(stall, stallMs);
  };
  try {
    const signal = AbortSignal.any([hub.signal, end.signal]);
    return await receive(await follow(hub, request, signal, onAlive), onAlive);
  } catch (error) {
    hub.signal.throwIfAborted();
    if (isStalled) {
      const { host } = new URL(request.url);
      throw new PassingError(`${host} sent nothing for ${stallMs / 1000} s`, { cause: error });
    }
    throw errorOfConnection(error, request.url);
  } finally {
    clearTimeout(timer);
    end.abort(); // what of the reply nobody read
  }
}

async function follow(
  hub: Hub,
  { method, url: asked, headers = {}, isAnswer }: HubRequest,
  signal: AbortSignal,
  onAlive: () => void,
): Promise<Response> {
  let url = new URL(asked);
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...authorization(hub, url), 'user-agent': 'cutline' },
      redirect: 'manual',
      signal,
    });
    onAlive();
    const location = response.headers.get('location');
    const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== null;
    if (!isRedirect || isAnswer?.(response)) return response;
    await response.body?.cancel();
    url = redirected(url, location);
  }
  throw new UserError(`${new URL(asked).host} redirects in a circle: check HF_ENDPOINT.`);
}

function authorization({ settings }: Hub, url: URL): Record<string, string> {
  const isHub = url.origin === new URL(settings.endpoint).origin;
  return isHub && settings.token ? { authorization: `Bearer ${settings.token}` } : {};
}

function redirected(from: URL, location: string): URL {
  const url = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const isAllowed =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && from.protocol === 'http:');
  if (!url || !isAllowed) {
    throw new UserError(
      `${from.host} redirects to what is not an address, or not a safe one: check HF_ENDPOINT.`,
    );
  }
  // It would be sent as a header, to whatever host this is.
  url.username = '';
  url.password = '';
  return url;
}

/** A reply of at most `bytesMax` bytes, as text. */
export async function readBody(
  response: Response,
  bytesMax: number,
  onAlive: () => void,
): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    onAlive();
    bytes += piece.length;
    if (bytes > bytesMax) {
      throw new UserError(
        `${new URL(response.url).host} answers with more than ${bytesMax} bytes: check HF_ENDPOINT.`,
      );
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
