/** Who may speak with the server of a review, and what comes of it. */
import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { readReviews } from '@cutline/shared/run';
import { MemoryStore, StoreError } from '@cutline/shared/stores';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRun } from '../../../test/support/finished-run.ts';
import { captionedRow, failedRow, skippedRow } from './gallery-rows.ts';
import { type OpenReview, openReview } from './support/review-run.ts';

const rows = [
  captionedRow({ key: 'a.jpg', caption: 'a dog', score: -1 }),
  captionedRow({ key: '../../etc/passwd', caption: 'a cat', score: -2 }),
  failedRow('broken.jpg', { class: 'corrupt', message: 'cut off' }),
  skippedRow('notes.txt', 'not-an-image'),
];

/** Refuses puts while it is told to. */
class MoodyStore extends MemoryStore {
  isDown = false;
  override async put(...args: Parameters<MemoryStore['put']>) {
    if (this.isDown) throw new StoreError('unavailable', 'Slow down.');
    return super.put(...args);
  }
}

let store: MoodyStore;
let run: Awaited<ReturnType<typeof createRun>>;
let review: OpenReview;
let port: number;
let token: string;

beforeEach(async () => {
  store = new MoodyStore();
  run = await createRun(store, rows);
  review = await openReview(run, new MemoryStore('s3://archive'));
  const url = new URL(review.url);
  port = Number(url.port);
  token = url.hash.slice(1);
});
afterEach(async () => {
  await review.close();
  expect(review.errors).toEqual([]);
});

interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: string | undefined;
}

/** Over a plain socket: fetch would not let a test choose its Host. */
function ask(path: string, { method = 'POST', headers = {}, body }: Asked = {}) {
  return new Promise<{ status: number; headers: Record<string, unknown>; text: string }>(
    (resolve, reject) => {
      const options = { host: '127.0.0.1', port, path, method, headers };
      const request = httpRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      });
      request.on('error', reject);
      request.end(body);
    },
  );
}

const authorised = () => ({
  authorization: `Bearer ${token}`,
  'content-type': 'application/json',
});
// biome-ignore lint/suspicious/noExplicitAny: each test knows what it looks at
async function post(path: string, body: object = {}): Promise<any> {
  const { status, text } = await ask(path, { headers: authorised(), body: JSON.stringify(body) });
  return { status, ...JSON.parse(text) };
}
const decideOn = (n: number, fields: object = {}) =>
  post('/api/decide', { id: randomUUID(), n, decision: 'accepted', seen: null, ...fields });

describe('strangers', () => {
  test.each<[string, Record<string, string>]>([
    ['a name of another site that resolves here', { host: 'evil.example' }],
    ['such a name with our port', { host: 'evil.example:80' }],
    ['a name that begins like ours', { host: '127.0.0.1.evil.example' }],
    ['a page of another origin', { origin: 'https://evil.example' }],
    ['a page of another port', { origin: 'http://127.0.0.1:1' }],
    ['a page without an origin', { origin: 'null' }],
    ['a request that a browser calls cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['a request of another port, by the browser', { 'sec-fetch-site': 'same-site' }],
  ])('%s gets nothing, with the token and without', async (_, headers) => {
    for (const path of ['/', '/review.js', '/api/open']) {
      const given = { ...authorised(), ...headers };
      const method = path === '/api/open' ? 'POST' : 'GET';
      const { status, text } = await ask(path, { method, headers: given });
      expect(status).toBe(403);
      expect(text).not.toContain('r1');
    }
  });

  test.each(['', 'Bearer', 'Bearer x', `Bearer ${'A'.repeat(43)}`])(
    'without the token (%j) nothing is told or done',
    async (authorization) => {
      const headers = { 'content-type': 'application/json', authorization };
      const body = JSON.stringify({ id: randomUUID(), n: 0, decision: 'accepted', seen: null });
      for (const path of ['/api/open', '/api/select', '/api/decide', '/api/image/0?side=800']) {
        const { status, text } = await ask(path, { headers, body });
        expect(status).toBe(401);
        expect(text).not.toContain('dog');
      }
      expect((await readReviews(run)).size).toBe(0);
    },
  );

  test('the page itself says nothing of the run, and may not be framed', async () => {
    const { status, headers, text } = await ask('/', { method: 'GET' });
    expect(status).toBe(200);
    expect(text).not.toMatch(/r1|dog|anna/);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none';.*frame-ancestors 'n/);
    expect(headers['content-security-policy']).toContain("require-trusted-types-for 'script'");
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  test('a form of another site cannot decide: its content is of another type', async () => {
    const headers = { ...authorised(), 'content-type': 'text/plain' };
    const body = JSON.stringify({ id: randomUUID(), n: 0, decision: 'accepted', seen: null });
    expect((await ask('/api/decide', { headers, body })).status).toBe(400);
  });

  test.each([
    '/../package.json',
    '/%2e%2e/package.json',
    '/client/review.js',
    '/__proto__',
    '/api/toString',
    '/api/image/..%2f..%2fetc%2fpasswd?side=800',
    '/api/image/-1?side=800',
    '/api/image/99?side=800',
    '/api/image/0?side=80000',
    '/api/image/1e3',
    '//evil.example/',
  ])('%s is no page', async (path) => {
    const { status, text } = await ask(path, { method: 'GET', headers: authorised() });
    expect([400, 404]).toContain(status);
    expect(text).toMatch(/^\{"error":/);
  });

  test.each<[string, string, string | undefined]>([
    ['no JSON', '/api/decide', '{'],
    ['nothing', '/api/select', ''],
    ['a field too many', '/api/undo', JSON.stringify({ id: randomUUID(), undoes: 1, x: 1 })],
    ['an image that is none', '/api/decide', undefined],
  ])('%s is refused', async (_, path, body) => {
    const other = { id: randomUUID(), n: 3, decision: 'accepted', seen: null };
    const sent = body ?? JSON.stringify(other);
    expect((await ask(path, { headers: authorised(), body: sent })).status).toBe(400);
  });

  test('a body without an end is refused', async () => {
    const body = `"${'x'.repeat(100_000)}"`;
    const { status } = await ask('/api/decide', { headers: authorised(), body });
    expect(status).toBe(413);
  });
});

describe('a reviewer', () => {
  const query = {
    ...{ order: 'least-certain', state: 'open', kind: 'captioned' },
    ...{ scoreMin: null, scoreMax: null, search: '' },
  };

  test('is told what there is', async () => {
    expect(await post('/api/open')).toMatchObject({
      ...{ run: 'r1', who: 'anna', isDraw: false, progress: { images: 3, accepted: 0 } },
      kinds: [
        { kind: 'captioned', images: 2 },
        { kind: 'failed', images: 1 },
        { kind: 'failed:corrupt', images: 1 },
      ],
    });
  });

  test('sees the least certain first, decides, and takes it back', async () => {
    const { list, images, first } = await post('/api/select', query);
    expect({ images, first }).toEqual({ images: 2, first: 0 });
    const { text } = await ask('/api/items', {
      headers: authorised(),
      body: JSON.stringify({ list, from: 0, count: 5 }),
    });
    expect(JSON.parse(text).map(({ key }: { key: string }) => key)).toEqual([
      '../../etc/passwd',
      'a.jpg',
    ]);
    const id = randomUUID();
    const fields = { id, decision: 'corrected', caption: '  two cats ' };
    expect(await decideOn(1, fields)).toMatchObject({
      isStored: true,
      review: { decision: 'corrected', who: 'anna', isMine: true },
      progress: { corrected: 1 },
    });
    const { progress, review } = await post('/api/undo', { id: randomUUID(), undoes: id });
    expect({ progress, review }).toMatchObject({ progress: { corrected: 0 }, review: null });
    expect((await readReviews(run)).size).toBe(2);
  });

  test('who says the same again has said it once', async () => {
    const id = randomUUID();
    const [one, other] = await Promise.all([decideOn(0, { id }), decideOn(0, { id })]);
    expect(other).toEqual(one);
    expect(await decideOn(0, { id })).toEqual(one);
    expect((await readReviews(run)).size).toBe(1);
  });

  test('in two tabs does not overwrite what was not seen', async () => {
    const first = await decideOn(0);
    expect(await decideOn(0, { decision: 'rejected' })).toMatchObject({
      isStored: false,
      review: { decision: 'accepted' },
    });
    const seen = first.review.id;
    expect(await decideOn(0, { decision: 'rejected', seen })).toMatchObject({
      isStored: true,
      review: { decision: 'rejected' },
    });
  });

  test('whose store is down is told so, and loses nothing by trying again', async () => {
    const id = randomUUID();
    store.isDown = true;
    expect(await decideOn(0, { id })).toMatchObject({ status: 503, error: 'Slow down.' });
    store.isDown = false;
    expect(await decideOn(0, { id })).toMatchObject({ isStored: true });
    expect((await readReviews(run)).size).toBe(1);
  });

  test('cannot accept what is no caption, but can write one', async () => {
    expect(await decideOn(2)).toMatchObject({ status: 400 });
    const fields = { decision: 'corrected', caption: 'a pier' };
    expect(await decideOn(2, fields)).toMatchObject({ isStored: true });
    for (const caption of [' ', undefined, 'x'.repeat(10_001)]) {
      expect(await decideOn(1, { decision: 'corrected', caption })).toMatchObject({ status: 400 });
    }
  });

  test('cannot take back what others decided', async () => {
    const other = await openReview(run, new MemoryStore(), { who: 'ben' });
    const { review: theirs } = await other.session.decide({
      ...{ id: randomUUID(), n: 0, decision: 'rejected', seen: null },
    });
    await other.close();
    const { status } = await post('/api/undo', { id: randomUUID(), undoes: theirs?.id });
    expect(status).toBe(400);
  });

  test('asks for a list that is not kept any more, and is told', async () => {
    const { status } = await post('/api/items', { list: 99, from: 0, count: 1 });
    expect(status).toBe(410);
  });
});
