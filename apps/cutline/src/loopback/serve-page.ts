/**
 * The server behind a page of ours: HTTP on the loopback address. What is in a request is compared
 * with tables, or parsed by a schema: no key or path ever comes from outside.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError, isTransient, UserError } from '@cutline/shared/errors';
import { requireOwnPage, requireToken } from './guard-request.ts';
import { type Page, readPageFiles } from './page-files.ts';
import { RefusedError, refusalStatuses } from './refused-error.ts';

export interface PageServer {
  /** To be opened in a browser: it has the token, behind a `#`, which browsers keep to themselves. */
  url: string;
  close(): Promise<void>;
}

/** Where a page is served, and to whom. */
export interface PageServing {
  /** 0: a free one. */
  port: number;
  /** Names besides the loopback's that the page may be reached by, through a proxy. */
  allowedHosts: readonly string[];
  /** Is told of what goes wrong with nobody to blame. */
  onError: (error: unknown) => void;
}

export interface PageServerOptions extends PageServing {
  page: Page;
  /**
   * What its scripts ask for, by path. All of it is asked by POST: what is said is for the page
   * alone, and not for a history.
   */
  replies: Readonly<Record<string, (request: IncomingMessage) => Promise<object>>>;
  /** Pictures, by what comes after `/api/image/`. @throws RefusedError where there is none */
  picture?: (name: string, query: URLSearchParams) => Promise<{ type: string; bytes: Buffer }>;
}

const host = '127.0.0.1';

/** @throws UserError where the port is taken. */
export async function servePage(options: PageServerOptions): Promise<PageServer> {
  const token = randomBytes(32).toString('base64url');
  const files = await readPageFiles(options.page);
  const server = createServer((request, response) => {
    answer(request, { ...options, token, files }).then(
      (said) => send(response, 200, said),
      (error) => refuse(request, response, error, options.onError),
    );
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

interface Context extends PageServerOptions {
  token: string;
  files: Awaited<ReturnType<typeof readPageFiles>>;
}

interface Said {
  type: string;
  bytes: Buffer;
  policy?: string;
}

async function answer(request: IncomingMessage, context: Context): Promise<Said> {
  requireOwnPage(request.headers, context.allowedHosts);
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  const file = context.files.get(path);
  if (file) {
    requireMethod(request, 'GET');
    return file;
  }
  requireToken(request.headers, context.token);
  if (context.picture && path.startsWith(imagePath)) {
    requireMethod(request, 'GET');
    return context.picture(path.slice(imagePath.length), new URLSearchParams(query));
  }
  const reply = Object.hasOwn(context.replies, path) ? context.replies[path] : undefined;
  if (!reply) throw new RefusedError('unknown', 'There is no such page.');
  requireMethod(request, 'POST');
  return json(await reply(request));
}

const imagePath = '/api/image/';

function requireMethod(request: IncomingMessage, method: 'GET' | 'POST'): void {
  if (request.method !== method) throw new RefusedError('method', `${method} only.`);
}

const json = (said: object): Said => ({
  type: 'application/json',
  bytes: Buffer.from(JSON.stringify(said)),
});

function send(
  response: ServerResponse,
  status: number,
  { type, bytes, policy = "default-src 'none'" }: Said,
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
  send(response, status, json(reply));
  request.resume();
}

function explain(cause: NodeJS.ErrnoException, port: number): UserError {
  const advice =
    cause.code === 'EADDRINUSE'
      ? `Port ${port} is in use by another process: choose another with --port; 0 takes a free one.`
      : `Cannot listen on ${host}, port ${port} (${describeError(cause)}): choose another --port.`;
  return new UserError(advice, { cause });
}
