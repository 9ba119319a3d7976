/**
 * The server behind the page of a review: HTTP on the loopback address, for one run. What is in a
 * request is compared with a table, or parsed by a schema, and images are named by their number:
 * no key or path ever comes from outside.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError, isTransient, UserError } from '@cutline/shared/errors';
import { requireOwnPage, requireToken } from './guard-request.ts';
import { readPage } from './page.ts';
import type { Previews } from './previews.ts';
import { readBody } from './read-body.ts';
import { RefusedError, refusalStatuses } from './refused-error.ts';
import { decideSchema, pageSchema, querySchema, sideSchema, undoSchema } from './requests.ts';
import type { ReviewSession } from './review-session.ts';

export interface ReviewServer {
  /** To be opened in a browser: it has the token, behind a `#`, which browsers keep to themselves. */
  url: string;
  close(): Promise<void>;
}

export interface ReviewServerOptions {
  session: ReviewSession;
  previews: Pick<Previews, 'get'>;
  /** 0: a free one. */
  port: number;
  /** Names besides the loopback's that the page may be reached by, through a proxy. */
  allowedHosts: readonly string[];
  /** Is told of what goes wrong with nobody to blame. */
  onError: (error: unknown) => void;
}

const host = '127.0.0.1';

/** @throws UserError where the port is taken. */
export async function serveReview(options: ReviewServerOptions): Promise<ReviewServer> {
  const token = randomBytes(32).toString('base64url');
  const page = await readPage();
  const server = createServer((request, response) => {
    answer(request, response, { ...options, token, page }).catch((error) => {
      refuse(request, response, error, options.onError);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(explain(cause, options.port)));
    server.listen(options.port, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}/#${token}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Context extends ReviewServerOptions {
  token: string;
  page: Awaited<ReturnType<typeof readPage>>;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  context: Context,
): Promise<void> {
  requireOwnPage(request.headers, context.allowedHosts);
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  const file = context.page.get(path);
  if (file) {
    if (request.method !== 'GET') throw new RefusedError('method', 'GET only.');
    return send(response, 200, file.type, file.bytes, file.policy);
  }
  requireToken(request.headers, context.token);
  if (path.startsWith('/api/image/')) {
    if (request.method !== 'GET') throw new RefusedError('method', 'GET only.');
    return sendImage(response, path.slice('/api/image/'.length), query, context);
  }
  const reply = Object.hasOwn(replies, path) ? replies[path] : undefined;
  if (!reply) throw new RefusedError('unknown', 'There is no such page.');
  if (request.method !== 'POST') throw new RefusedError('method', 'POST only.');
  const said = await reply(context.session, request);
  send(response, 200, 'application/json', Buffer.from(JSON.stringify(said)));
}

type Reply = (session: ReviewSession, request: IncomingMessage) => Promise<object>;

/** All of them are asked by POST: what they say is for the page alone, and not for a history. */
const replies: Readonly<Record<string, Reply>> = {
  '/api/open': async (session) => session.open(),
  '/api/progress': (session) => session.progress(),
  '/api/select': async (session, request) => session.select(await readBody(request, querySchema)),
  '/api/items': async (session, request) => session.items(await readBody(request, pageSchema)),
  '/api/decide': async (session, request) => session.decide(await readBody(request, decideSchema)),
  '/api/undo': async (session, request) => session.undo(await readBody(request, undoSchema)),
};

async function sendImage(
  response: ServerResponse,
  name: string,
  query: string,
  { session, previews }: Context,
): Promise<void> {
  const side = sideSchema.safeParse(new URLSearchParams(query).get('side'));
  if (!/^\d{1,9}$/.test(name) || !side.success) {
    throw new RefusedError('invalid', 'There is no such picture.');
  }
  const bytes = await previews.get(session.image(Number(name)), side.data);
  if (!bytes) throw new RefusedError('unknown', 'The image cannot be read now.');
  send(response, 200, 'image/webp', bytes);
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  bytes: Buffer,
  policy = "default-src 'none'",
): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': bytes.length,
    'content-security-policy': `${policy}; frame-ancestors 'none'`,
    'cache-control': 'no-store',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  });
  response.end(bytes);
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  onError: (error: unknown) => void,
): void {
  if (response.headersSent) return void response.destroy();
  const isRefusal = error instanceof RefusedError;
  if (!isRefusal && !isTransient(error)) onError(error);
  const status = isRefusal ? refusalStatuses[error.reason] : 503;
  // What of the body was not read would be taken for another request.
  response.setHeader('connection', 'close');
  const reply = { error: describeError(error) };
  send(response, status, 'application/json', Buffer.from(JSON.stringify(reply)));
  request.resume();
}

function explain(cause: NodeJS.ErrnoException, port: number): UserError {
  const advice =
    cause.code === 'EADDRINUSE'
      ? `Port ${port} is in use by another process: choose another with --port; 0 takes a free one.`
      : `Cannot listen on ${host}, port ${port} (${describeError(cause)}): choose another --port.`;
  return new UserError(advice, { cause });
}
