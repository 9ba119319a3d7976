import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ObjectStore, openStore, StorePool } from '@cutline/shared/stores';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { s3Access } from '../../../test/support/s3-server.ts';

/** Conditional puts and deletes against servers that know, refuse, ignore or lose them. */

/** What becomes of a PUT or DELETE that carries a condition; undefined: it is held to it. */
type Answer = 'ignore' | { status: number; code: string } | 'lose reply' | undefined;

let http: Server;
let objects: Map<string, Buffer>;
let requests: string[];
let answerTo: (condition: string) => Answer;
let notices: string[];
let store: ObjectStore;

const etagOf = (bytes: Buffer) => `"${createHash('md5').update(bytes).digest('hex')}"`;

beforeEach(async () => {
  objects = new Map();
  requests = [];
  notices = [];
  answerTo = () => undefined;
  http = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { config } = s3Access(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
  const pool = new StorePool({ ...config, onNotice: (text) => notices.push(text) });
  store = await pool.open('s3://archive');
});
afterEach(async () => {
  store.close();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const { method = '', url = '', headers } = request;
  const key = url.split('?')[0]?.split('/')[2] ?? '';
  let found = objects.get(key);
  const ifMatch = headers['if-match'];
  const condition = headers['if-none-match'] !== undefined ? 'ifAbsent' : ifMatch && 'ifMatch';
  requests.push(condition ? `${method} ${condition}` : method);
  const refuse = (status: number, code: string) => {
    response.writeHead(status, { 'content-type': 'application/xml' });
    response.end(`<Error><Code>${code}</Code><Message>m</Message></Error>`);
  };
  if (method === 'PUT') {
    const answer = condition ? answerTo(condition) : undefined;
    found = objects.get(key);
    if (answer && typeof answer === 'object') return refuse(answer.status, answer.code);
    if (answer !== 'ignore') {
      if (condition === 'ifAbsent' && found) return refuse(412, 'PreconditionFailed');
      if (condition === 'ifMatch' && !found) return refuse(404, 'NoSuchKey');
      if (condition === 'ifMatch' && found && etagOf(found) !== ifMatch) {
        return refuse(412, 'PreconditionFailed');
      }
    }
    objects.set(key, bytes);
    if (answer === 'lose reply') return void response.destroy();
    response.writeHead(200, { etag: etagOf(bytes) });
    return void response.end();
  }
  if (method === 'DELETE') {
    const answer = condition ? answerTo(condition) : undefined;
    found = objects.get(key);
    if (answer && typeof answer === 'object') return refuse(answer.status, answer.code);
    if (answer !== 'ignore' && condition === 'ifMatch') {
      if (!found) return refuse(404, 'NoSuchKey');
      if (etagOf(found) !== ifMatch) return refuse(412, 'PreconditionFailed');
    }
    objects.delete(key);
    if (answer === 'lose reply') return void response.destroy();
    response.writeHead(204);
    return void response.end();
  }
  if (!found) return refuse(404, 'NoSuchKey');
  response.writeHead(200, { etag: etagOf(found), 'content-length': found.length });
  response.end(method === 'HEAD' ? undefined : found);
}

const put = (text: string, condition: { ifAbsent: true } | { ifMatch: string }, key = 'k') =>
  store.put(key, Buffer.from(text), condition);
const stored = (key = 'k') => String(objects.get(key));
const ifAbsent = { ifAbsent: true } as const;

test('a store that knows conditions is found out once, and then asked once a put', async () => {
  await put('a', ifAbsent, '1');
  expect(requests).toEqual(['HEAD', 'PUT ifAbsent', 'PUT ifAbsent']);
  requests = [];
  await put('b', ifAbsent, '2');
  await expect(put('c', ifAbsent, '2')).rejects.toMatchObject({ reason: 'exists' });
  expect(requests).toEqual(['PUT ifAbsent', 'PUT ifAbsent']);

  requests = [];
  const { etag } = await put('d', { ifMatch: (await store.put('3', Buffer.from('x'))).etag }, '3');
  expect(requests).toEqual(['PUT', 'HEAD', 'PUT ifMatch', 'PUT ifMatch']);
  requests = [];
  await put('e', { ifMatch: etag }, '3');
  await expect(put('f', { ifMatch: etag }, '3')).rejects.toMatchObject({ reason: 'exists' });
  expect(requests).toEqual(['PUT ifMatch', 'PUT ifMatch']);
  expect([stored('1'), stored('2'), stored('3')]).toEqual(['a', 'b', 'e']);
  expect(notices).toEqual([]);
});

test.each<Answer>([
  'ignore',
  { status: 501, code: 'NotImplemented' },
  { status: 400, code: 'InvalidArgument' },
])('in a store that answers %j, it looks first, and says so once', async (answer) => {
  answerTo = () => answer;
  await put('a', ifAbsent, '1');
  await put('b', ifAbsent, '2');
  await expect(put('c', ifAbsent, '2')).rejects.toMatchObject({ reason: 'exists' });
  expect(requests.slice(-3)).toEqual(['HEAD', 'PUT', 'HEAD']);
  expect(notices).toEqual([expect.stringMatching(/^s3:\/\/archive does not know If-None-Match /)]);

  const { etag } = await store.put('3', Buffer.from('x'));
  await put('d', { ifMatch: etag }, '3');
  await expect(put('e', { ifMatch: etag }, '3')).rejects.toMatchObject({ reason: 'exists' });
  expect([stored('1'), stored('2'), stored('3')]).toEqual(['a', 'b', 'd']);
  expect(notices.slice(1)).toEqual([expect.stringMatching(/does not know If-Match /)]);
  expect(notices.join()).not.toContain('\n');
});

test('a refusal that has nothing to do with the condition says nothing of the store', async () => {
  const handlers = http.listeners('request') as ((...args: unknown[]) => void)[];
  http.removeAllListeners('request');
  http.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (request.method !== 'PUT') return handlers[0]?.(request, response);
    request.resume();
    response.writeHead(400);
    response.end('<Error><Code>KeyTooLongError</Code><Message>m</Message></Error>');
  });
  await expect(put('a', ifAbsent)).rejects.toMatchObject({ reason: 'refused' });
  http.removeAllListeners('request');
  for (const handler of handlers) http.on('request', handler);
  expect(notices).toEqual([]);
  requests = [];
  await put('a', ifAbsent);
  expect(requests).toEqual(['HEAD', 'PUT ifAbsent', 'PUT ifAbsent']);
});

test('others that write in the same moment make it try again', async () => {
  await put('a', ifAbsent, '1');
  answerTo = () => ({ status: 409, code: 'ConditionalRequestConflict' });
  await expect(put('a', ifAbsent, '2')).rejects.toMatchObject({ reason: 'unavailable' });
});

test('an object is its own, where the reply to its put was lost', async () => {
  await put('a', ifAbsent, '1');
  const loseOne = () => {
    let left = 1;
    answerTo = () => (left-- > 0 ? 'lose reply' : undefined);
  };
  loseOne();
  const { etag } = await put('b', ifAbsent, '2');
  expect(await store.head('2')).toMatchObject({ etag });
  await put('c', { ifMatch: etag }, '2');
  loseOne();
  await put('d', { ifMatch: (await store.head('2'))?.etag as string }, '2');
  expect(stored('2')).toBe('d');

  // That of another, written in between, is not.
  let left = 1;
  answerTo = () => {
    if (left-- > 0) return { status: 503, code: 'SlowDown' };
    objects.set('3', Buffer.from('another'));
    return undefined;
  };
  await expect(put('mine', ifAbsent, '3')).rejects.toMatchObject({ reason: 'exists' });
});

test('the first reply of all may be lost, too', async () => {
  let left = 1;
  answerTo = () => (left-- > 0 ? 'lose reply' : undefined);
  await put('a', ifAbsent, '1');
  await expect(put('b', ifAbsent, '1')).rejects.toMatchObject({ reason: 'exists' });
  expect(stored('1')).toBe('a');
  expect(notices).toEqual([]);
});

test('openStore takes the notice, too', async () => {
  answerTo = () => 'ignore';
  const heard: string[] = [];
  const { config } = s3Access(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
  const other = await openStore('s3://archive', {
    ...config,
    onNotice: (text) => heard.push(text),
  });
  await other.put('1', Buffer.from('a'), ifAbsent);
  expect(heard).toHaveLength(1);
  other.close();
});

describe('a delete with ifMatch', () => {
  const putOne = async (text: string) => (await store.put('k', Buffer.from(text))).etag;

  test.each<Answer>([
    undefined,
    'ignore',
    { status: 501, code: 'NotImplemented' },
    { status: 400, code: 'InvalidArgument' },
  ])('removes that version and no other, in a store that answers %j', async (answer) => {
    answerTo = () => answer;
    const etag = await putOne('ours');
    await putOne('somebody else’s');
    await expect(store.delete('k', { ifMatch: etag })).rejects.toMatchObject({ reason: 'exists' });
    expect(stored()).toBe('somebody else’s');
    await store.delete('k', { ifMatch: await putOne('ours') });
    expect(objects.size).toBe(0);
  });

  test('leaves what is written between its look and itself, where the store knows', async () => {
    const etag = await putOne('ours');
    answerTo = () => {
      objects.set('k', Buffer.from('somebody else’s'));
      return undefined;
    };
    await expect(store.delete('k', { ifMatch: etag })).rejects.toMatchObject({ reason: 'exists' });
    expect(stored()).toBe('somebody else’s');
  });

  test('is done where its reply was lost', async () => {
    const etag = await putOne('ours');
    let replies = 0;
    answerTo = () => (replies++ === 0 ? 'lose reply' : undefined);
    await store.delete('k', { ifMatch: etag });
    expect(requests).toEqual(['PUT', 'HEAD', 'DELETE ifMatch', 'DELETE ifMatch']);
    expect(objects.size).toBe(0);
  });
});
