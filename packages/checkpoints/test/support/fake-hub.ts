/**
 * A Hugging Face hub for tests, with the host beside it where large files lie. It speaks the
 * protocol of the real one as far as files are read from it, counts what it sends, and does wrong
 * what it is told to do wrong.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

export interface FakeFile {
  contents: Buffer;
  /** Lies on the other host, and is known by its SHA-256. */
  isLarge?: boolean;
  /** What is said of it instead of the truth. */
  claims?: { bytes?: number; etag?: string };
}

export interface FakeRepo {
  commit?: string;
  files: Record<string, FakeFile>;
  /** Tokens that may read it; default: everybody may. */
  tokens?: string[];
  /** The files are for those alone who accepted a licence. */
  gated?: boolean;
  cardData?: unknown;
}

/**
 * - a status: the reply has it, and a Retry-After or a Location where one is given
 * - `hang`: no reply; `stall`: half of it, then nothing more
 * - `reset`: half, then the connection breaks; `truncate`: half, as if that were all
 * - `corrupt`: one byte is another
 * - `ignore-range`: all of it, whatever was asked for
 * - `longer`: more than there is
 */
export type Fault =
  | { status: number; retryAfter?: string; location?: string }
  | 'hang'
  | 'stall'
  | 'reset'
  | 'truncate'
  | 'corrupt'
  | 'ignore-range'
  | 'longer';

export interface SeenRequest {
  host: 'hub' | 'elsewhere';
  method: string;
  path: string;
  range?: string;
  authorization?: string;
}

export const sha256 = (contents: Uint8Array) => createHash('sha256').update(contents).digest('hex');
export const blobId = (contents: Uint8Array) =>
  createHash('sha1').update(`blob ${contents.length}\0`).update(contents).digest('hex');

export class FakeHub {
  readonly repos = new Map<string, FakeRepo>();
  /** New names by old ones. */
  readonly renamed = new Map<string, string>();
  readonly requests: SeenRequest[] = [];
  /** Bytes of bodies handed to the network, by file name. */
  readonly sentBytes = new Map<string, number>();
  /** Whether the list of files says their sizes and hashes, too. */
  saysBlobs = true;
  /** Of a body, between pieces of 16 KiB. */
  pieceMs = 0;
  endpoint = '';
  elsewhere = '';
  readonly #faults: { path: RegExp; fault: Fault; times: number }[] = [];
  readonly #servers: Server[] = [];

  static async start(repos: Record<string, FakeRepo> = {}): Promise<FakeHub> {
    const hub = new FakeHub();
    for (const [name, repo] of Object.entries(repos)) hub.repos.set(name, repo);
    hub.endpoint = await hub.#listen('hub', (request, reply) => hub.#answer(request, reply));
    hub.elsewhere = await hub.#listen('elsewhere', (request, reply) =>
      hub.#answerElsewhere(request, reply),
    );
    onTestFinished(() => hub.stop());
    return hub;
  }

  /** The next `times` requests whose path matches get this fault. */
  fail(path: RegExp, fault: Fault, times = 1): void {
    this.#faults.push({ path, fault, times });
  }

  stop(): void {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  /** GETs of contents, in order. */
  get downloads(): SeenRequest[] {
    return this.requests.filter(({ method, path, host }) => {
      return method === 'GET' && (host === 'elsewhere' || path.includes('/resolve/'));
    });
  }

  async #listen(
    host: SeenRequest['host'],
    answer: (request: IncomingMessage, reply: ServerResponse) => Promise<void>,
  ): Promise<string> {
    const server = createServer((request, reply) => {
      const { range, authorization } = request.headers;
      this.requests.push({
        host,
        method: request.method ?? '',
        path: request.url ?? '',
        ...(range && { range }),
        ...(authorization && { authorization }),
      });
      const fault = this.#faultOf(request);
      if (fault === 'hang') return;
      if (typeof fault === 'object') {
        const { status, retryAfter, location } = fault;
        const headers = {
          ...(retryAfter && { 'retry-after': retryAfter }),
          ...(location && { location }),
        };
        reply.writeHead(status, headers).end('no');
        return;
      }
      answer(request, reply).catch(() => reply.destroy());
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Faults of bodies wait for the request that gets a body. */
  #faultOf({ url = '', method }: IncomingMessage, ofBody = false): Fault | undefined {
    const isOfBody = (fault: Fault) => typeof fault === 'string' && fault !== 'hang';
    const next = this.#faults.find(
      ({ path, fault, times }) => times > 0 && path.test(url) && isOfBody(fault) === ofBody,
    );
    if (!next || (ofBody && method === 'HEAD')) return undefined;
    next.times -= 1;
    return next.fault;
  }

  async #answer(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.endpoint);
    const ofInfo = /^\/api\/models\/(.+)\/revision\/([^/]+)$/.exec(url.pathname);
    const ofFile = /^\/(.+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
    const [, name = '', revision = '', path = ''] = ofInfo ?? ofFile ?? [];
    const newName = this.renamed.get(name);
    if (newName) {
      reply.writeHead(307, { location: request.url?.replace(name, newName) }).end();
      return;
    }
    const repo = this.repos.get(name);
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1];
    const mayRead = !repo?.tokens || (token !== undefined && repo.tokens.includes(token));
    if (token === 'expired') {
      const message = 'Invalid credentials in Authorization header';
      reply.writeHead(401, { 'x-error-message': message }).end();
    } else if (!repo || (!mayRead && !repo.gated)) {
      const message = 'Invalid username or password.';
      const headers = { 'x-error-code': 'RepoNotFound', 'x-error-message': message };
      reply.writeHead(token ? 404 : 401, headers).end();
    } else if (!['main', 'refs/pr/1', commitOf(repo)].includes(decodeURIComponent(revision))) {
      reply.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end();
    } else if (ofInfo) {
      reply.writeHead(200, { 'content-type': 'application/json' });
      reply.end(JSON.stringify(this.#infoOf(repo, url.searchParams.get('blobs') === 'true')));
    } else if (!mayRead) {
      reply.writeHead(token ? 403 : 401, { 'x-error-code': 'GatedRepo' }).end();
    } else {
      await this.#answerFile(request, reply, repo, decodeURIComponent(path));
    }
  }

  #infoOf(repo: FakeRepo, wantsBlobs: boolean): unknown {
    return {
      id: 'x',
      sha: commitOf(repo),
      gated: repo.gated ? 'manual' : false,
      cardData: repo.cardData ?? { license: 'bsd-3-clause' },
      siblings: Object.entries(repo.files).map(([rfilename, file]) => {
        if (!wantsBlobs || !this.saysBlobs) return { rfilename };
        const size = file.claims?.bytes ?? file.contents.length;
        const lfs = { sha256: etagOf(file), size, pointerSize: 134 };
        // Of a large file, this is the id of the few lines that point to it.
        const id = file.isLarge ? '0'.repeat(40) : etagOf(file);
        return { rfilename, size, blobId: id, ...(file.isLarge && { lfs }) };
      }),
    };
  }

  async #answerFile(
    request: IncomingMessage,
    reply: ServerResponse,
    repo: FakeRepo,
    name: string,
  ): Promise<void> {
    const file = repo.files[name];
    if (!file) {
      reply.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end();
      return;
    }
    reply.setHeader('x-repo-commit', commitOf(repo));
    if (file.isLarge) {
      reply.setHeader('x-linked-etag', `"${etagOf(file)}"`);
      reply.setHeader('x-linked-size', String(file.claims?.bytes ?? file.contents.length));
      reply.setHeader('etag', 'W/"of-the-redirect"');
      const location = `${this.elsewhere}/${encodeURIComponent(name)}?signature=x`;
      reply.writeHead(302, { location, 'content-length': 10 }).end('elsewhere!');
      return;
    }
    reply.setHeader('etag', `"${etagOf(file)}"`);
    await this.#send(request, reply, name, file.contents);
  }

  async #answerElsewhere(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const name = decodeURIComponent(new URL(request.url ?? '', this.elsewhere).pathname.slice(1));
    const file = [...this.repos.values()].map(({ files }) => files[name]).find(Boolean);
    // As S3 does when a request is signed in two ways.
    if (request.headers.authorization || !file) reply.writeHead(400).end();
    else await this.#send(request, reply, name, file.contents);
  }

  async #send(
    request: IncomingMessage,
    reply: ServerResponse,
    name: string,
    contents: Buffer,
  ): Promise<void> {
    const fault = this.#faultOf(request, true);
    const total = contents.length;
    const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (first >= total && first > 0 && fault !== 'ignore-range') {
      reply.writeHead(416, { 'content-range': `bytes */${total}` }).end();
      return;
    }
    const isPart = request.headers.range !== undefined && fault !== 'ignore-range';
    let body = isPart ? contents.subarray(first) : contents;
    if (isPart) reply.setHeader('content-range', `bytes ${first}-${total - 1}/${total}`);
    // Without a length, an end that comes too early cannot be told from the right one.
    const isChunked = fault === 'truncate' || fault === 'longer';
    if (!isChunked) reply.setHeader('content-length', body.length);
    reply.writeHead(isPart ? 206 : 200);
    if (request.method === 'HEAD') {
      reply.end();
      return;
    }
    if (fault === 'corrupt') {
      body = Buffer.from(body);
      body[body.length >> 1] = (body[body.length >> 1] as number) ^ 1;
    }
    if (fault === 'longer') body = Buffer.concat([body, Buffer.alloc(100_000)]);
    const isHalf = fault === 'stall' || fault === 'reset' || fault === 'truncate';
    await this.#write(reply, name, isHalf ? body.subarray(0, body.length >> 1) : body);
    if (fault === 'stall') return;
    if (fault === 'reset') {
      await sleep(50); // until what was sent has arrived
      reply.destroy();
    } else {
      reply.end();
    }
  }

  async #write(reply: ServerResponse, name: string, body: Buffer): Promise<void> {
    for (let at = 0; at < body.length && !reply.destroyed; at += 16384) {
      const piece = body.subarray(at, at + 16384);
      this.sentBytes.set(name, (this.sentBytes.get(name) ?? 0) + piece.length);
      if (!reply.write(piece)) await drained(reply);
      if (this.pieceMs > 0) await sleep(this.pieceMs);
    }
  }
}

export function commitOf(repo: FakeRepo): string {
  return repo.commit ?? 'c0ffee'.padEnd(40, '0');
}

/** Or gone. */
async function drained(reply: ServerResponse): Promise<void> {
  const end = new AbortController();
  const { signal } = end;
  await Promise.race([once(reply, 'drain', { signal }), once(reply, 'close', { signal })]).finally(
    () => end.abort(),
  );
}

function etagOf({ contents, isLarge, claims }: FakeFile): string {
  return claims?.etag ?? (isLarge ? sha256(contents) : blobId(contents));
}
