import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { forwardRequest } from './forward-request.ts';

/**
 * A proxy in front of an S3 server that counts requests and makes some of them go wrong. It passes
 * paths on as they are and streams bodies. Path-style requests only: `/bucket/key`.
 */
export interface FaultProxy {
  readonly endpoint: string;
  /** Every request so far, in order, whatever became of it. */
  readonly requests: readonly ProxiedRequest[];
  /** How many requests there were of each operation. */
  counts(): Record<Operation, number>;
  /** Forgets the requests so far. */
  resetCounts(): void;
  /** How much longer each request of an operation takes, whatever becomes of it. None at first. */
  latencyMs: Partial<Record<Operation, number>>;
  /** Of several that match, the first added applies. @returns what takes the fault away */
  add(fault: Fault): () => void;
  stop(): Promise<void>;
}

/** `other`: on the bucket itself, such as HeadBucket. */
export type Operation = 'get' | 'head' | 'put' | 'delete' | 'list' | 'other';

export interface ProxiedRequest {
  operation: Operation;
  bucket: string;
  /** Decoded; empty for requests to the bucket. */
  key: string;
}

export interface Fault {
  /** Any, if left out. */
  operation?: Operation;
  /** The whole decoded key, or a pattern in it. Any, if left out. */
  key?: string | RegExp;
  /** How many requests it applies to; after them, the fault is gone. No end, if left out. */
  times?: number;
  /** Asked at each request that matches: whether it applies. Always, if left out. */
  chance?: () => boolean;
  does: Effect;
}

/**
 * - `status` and `code`: an S3 error instead of the answer; nothing is forwarded.
 * - `delayMs`: waits, then forwards.
 * - `cutAfterBytes`: forwards, and cuts the connection after so many bytes of the answer's body.
 * - `stallAfterBytes`: the same, but falls silent instead.
 * - `hangUp`: cuts the connection, `unheard`: before anything is forwarded; `unanswered`: once it is
 *   carried out, in place of the answer.
 * - `before`: calls a function, then forwards: to change the object between listing and fetching.
 * - `after`: forwards, then calls a function, then answers.
 */
export type Effect =
  | { status: number; code: string }
  | { delayMs: number }
  | { cutAfterBytes: number }
  | { stallAfterBytes: number }
  | { hangUp: 'unheard' | 'unanswered' }
  | { before: () => Promise<unknown> }
  | { after: () => Promise<unknown> };

export const accessDenied: Effect = { status: 403, code: 'AccessDenied' };
export const slowDown: Effect = { status: 503, code: 'SlowDown' };

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const agent = new Agent({ keepAlive: true });
  const requests: ProxiedRequest[] = [];
  const faults: { fault: Fault; left: number }[] = [];

  const take = (request: ProxiedRequest): Effect | undefined => {
    const entry = faults.find(({ fault }) => matches(fault, request) && (fault.chance?.() ?? true));
    if (!entry) return undefined;
    entry.left -= 1;
    if (entry.left === 0) faults.splice(faults.indexOf(entry), 1);
    return entry.fault.does;
  };

  const handle = async (incoming: IncomingMessage, answer: ServerResponse) => {
    const request = parseRequest(incoming);
    requests.push(request);
    const { [request.operation]: latencyMs = 0 } = proxy.latencyMs;
    if (latencyMs > 0) await delay(latencyMs, answer);
    const effect = take(request);
    if (effect && 'status' in effect) {
      incoming.resume(); // unread, its body would keep the connection from being used again
      return sendError(answer, effect);
    }
    if (effect && 'hangUp' in effect && effect.hangUp === 'unheard') return answer.destroy();
    if (effect && 'delayMs' in effect) await delay(effect.delayMs, answer);
    if (effect && 'before' in effect) await effect.before();
    await forward(incoming, answer, { target, agent, effect });
  };

  const server = createServer((incoming, answer) => {
    handle(incoming, answer).catch(() => answer.destroy()); // one of the two ends hung up
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const proxy: FaultProxy = {
    latencyMs: {},
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    counts() {
      const counts = { get: 0, head: 0, put: 0, delete: 0, list: 0, other: 0 };
      for (const { operation } of requests) counts[operation] += 1;
      return counts;
    },
    resetCounts() {
      requests.length = 0;
    },
    add(fault) {
      const entry = { fault, left: fault.times ?? Number.POSITIVE_INFINITY };
      faults.push(entry);
      return () => {
        const index = faults.indexOf(entry);
        if (index >= 0) faults.splice(index, 1);
      };
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      agent.destroy();
    },
  };
  return proxy;
}

function matches({ operation, key }: Fault, request: ProxiedRequest): boolean {
  if (operation !== undefined && operation !== request.operation) return false;
  if (key === undefined) return true;
  return typeof key === 'string' ? key === request.key : key.test(request.key);
}

function parseRequest({ method = '', url = '' }: IncomingMessage): ProxiedRequest {
  const [path = '', query = ''] = url.split('?');
  const [, bucket = '', ...rest] = path.split('/');
  const key = decodeURIComponent(rest.join('/'));
  const operations: Record<string, Operation> =
    key === ''
      ? { GET: new URLSearchParams(query).has('list-type') ? 'list' : 'other' }
      : { GET: 'get', HEAD: 'head', PUT: 'put', DELETE: 'delete' };
  return { operation: operations[method] ?? 'other', bucket, key };
}

function sendError(answer: ServerResponse, { status, code }: { status: number; code: string }) {
  answer.writeHead(status, { 'content-type': 'application/xml' });
  answer.end(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code>` +
      `<Message>By the fault proxy</Message></Error>`,
  );
}

function delay(ms: number, answer: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    answer.once('close', () => clearTimeout(timer)); // the client hung up
  });
}

async function forward(
  incoming: IncomingMessage,
  answer: ServerResponse,
  { target, agent, effect }: { target: string; agent: Agent; effect: Effect | undefined },
): Promise<void> {
  const response = await forwardRequest(incoming, answer, { target, agent });
  if (effect && 'after' in effect) await effect.after();
  if (effect && 'hangUp' in effect) {
    response.resume();
    answer.destroy();
    return;
  }
  answer.writeHead(response.statusCode ?? 502, response.headers);
  if (effect && 'cutAfterBytes' in effect) {
    await sendBytes(response, answer, effect.cutAfterBytes);
    answer.destroy();
  } else if (effect && 'stallAfterBytes' in effect) {
    await sendBytes(response, answer, effect.stallAfterBytes);
    await new Promise((resolve) => answer.once('close', resolve));
  } else {
    await pipeline(response, answer);
  }
}

/** Sends the first bytes of a body and waits until they are on their way. */
async function sendBytes(
  response: IncomingMessage,
  answer: ServerResponse,
  bytesMax: number,
): Promise<void> {
  answer.flushHeaders();
  let left = bytesMax;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const piece = chunk.subarray(0, left);
    left -= piece.length;
    if (piece.length > 0) await new Promise((resolve) => answer.write(piece, resolve));
    if (left === 0) break;
  }
}
