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

/** A reply's body, piece by piece. */
export type Pieces = AsyncIterable<Uint8Array>;

/**
 * What is aborted ends here, whether `fetch` hears of it or not: that of Node.js 20 holds on to a
 * signal weakly, and may forget it while a body is on its way.
 *
 * @throws PassingError when the connection fails or stalls; the signal's reason; what `receive` does.
 */
export async function exchange<Result>(
  hub: Hub,
  request: HubRequest,
  receive: (response: Response, pieces: Pieces) => Promise<Result>,
): Promise<Result> {
  hub.signal.throwIfAborted();
  const guard = new StallGuard(hub);
  let response: Response | undefined;
  try {
    response = await follow(hub, request, guard);
    return await receive(response, piecesOf(response, guard));
  } catch (error) {
    hub.signal.throwIfAborted();
    if (guard.isStalled) {
      const { host } = new URL(request.url);
      const seconds = hub.patience.stallMs / 1000;
      throw new PassingError(`${host} sent nothing for ${seconds} s`, { cause: error });
    }
    throw errorOfConnection(error, request.url);
  } finally {
    discard(response); // what nobody read
    guard.end();
  }
}

/** Ends a request when nothing arrives any more, and when the hub's signal says so. */
class StallGuard {
  isStalled = false;
  readonly #hub: Hub;
  readonly #controller = new AbortController();
  readonly #onAbort = () => this.#controller.abort(this.#hub.signal.reason);
  #timer: NodeJS.Timeout | undefined;

  constructor(hub: Hub) {
    this.#hub = hub;
    hub.signal.addEventListener('abort', this.#onAbort);
    this.onAlive();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  onAlive(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.isStalled = true;
      this.#controller.abort();
    }, this.#hub.patience.stallMs);
  }

  /** What `work` gives, or the signal's reason if that comes first. */
  async wait<Result>(work: Promise<Result>): Promise<Result> {
    const { signal } = this;
    work.catch(() => {}); // when nobody waits for it any more
    let onAbort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort);
    });
    try {
      signal.throwIfAborted();
      return await Promise.race([work, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#hub.signal.removeEventListener('abort', this.#onAbort);
    this.#controller.abort();
  }
}

async function* piecesOf(response: Response, guard: StallGuard): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await guard.wait(reader.read());
      if (done) return;
      guard.onAlive();
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Closes the connection, if there is more to come. It is not waited for. */
function discard(response: Response | undefined): void {
  if (response?.body && !response.body.locked) response.body.cancel().catch(() => {});
}

async function follow(
  hub: Hub,
  { method, url: asked, headers = {}, isAnswer }: HubRequest,
  guard: StallGuard,
): Promise<Response> {
  let url = new URL(asked);
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    const fetching = fetch(url, {
      method,
      headers: { ...headers, ...authorization(hub, url), 'user-agent': 'cutline' },
      redirect: 'manual',
      signal: guard.signal,
    });
    const response = await guard.wait(fetching);
    guard.onAlive();
    const location = response.headers.get('location');
    const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== null;
    if (!isRedirect || isAnswer?.(response)) return response;
    discard(response);
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

/** A body of at most `bytesMax` bytes, as text. @throws UserError when there are more. */
export async function readText(
  pieces: Pieces,
  bytesMax: number,
  { url }: Response,
): Promise<string> {
  const all: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > bytesMax) {
      throw new UserError(
        `${new URL(url).host} answers with more than ${bytesMax} bytes: check HF_ENDPOINT.`,
      );
    }
    all.push(piece);
  }
  return Buffer.concat(all).toString('utf8');
}
