import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { version } from '@cutline/shared/process';
import { type ObjectStore, openStore, type StoreConfig } from '@cutline/shared/stores';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  accessDenied,
  type FaultProxy,
  slowDown,
  startFaultProxy,
} from '../../../test/support/fault-proxy.ts';
import { startProcess } from '../../../test/support/processes.ts';
import { type S3Server, s3Access, startS3 } from '../../../test/support/s3-server.ts';
import { waitFor } from '../../../test/support/wait-for.ts';

/** What holds for S3 only; the rest is in object-store-contract.test.ts. */
const listKeys = async (store: ObjectStore) => {
  const keys: string[] = [];
  for await (const { key } of store.list()) keys.push(key);
  return keys;
};

describe('behind a proxy that injects faults', () => {
  let server: S3Server;
  let proxy: FaultProxy;
  let store: ObjectStore;
  let buckets = 0;
  const body = 'b'.repeat(300_000);

  beforeAll(async () => {
    server = await startS3();
    proxy = await startFaultProxy(server.endpoint);
  });
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });
  let takeAway: (() => void)[] = [];
  const inject = (fault: Parameters<FaultProxy['add']>[0]) => takeAway.push(proxy.add(fault));
  beforeEach(async () => {
    const { config } = s3Access(proxy.endpoint);
    store = await openStore(server.createBucket(`faults-${buckets++}`), config);
    await store.put('a.jpg', Buffer.from(body));
    await store.put('b.jpg', Buffer.from('b'));
    proxy.resetCounts();
  });
  afterEach(() => {
    for (const remove of takeAway) remove();
    takeAway = [];
    store.close();
  });

  test('keys that only S3 can hold', async () => {
    const keys = ['..', '../x', '.hidden', '/', '/lead.jpg', '//', 'a.jpg/', 'a//b.jpg', 'x/./y'];
    for (const key of keys) await store.put(key, Buffer.from(`<${key}>`));
    for (const key of keys) {
      expect((await store.get(key)).bytes.toString()).toBe(`<${key}>`);
      expect(await store.head(key)).toMatchObject({ key, bytes: key.length + 2 });
    }
    expect(await listKeys(store)).toEqual(expect.arrayContaining(keys));
    for (const key of keys) await store.delete(key);
    expect(await listKeys(store)).toEqual(['a.jpg', 'b.jpg']);
  });

  test('a key that is too long is that of no object, though a HEAD is not told why', async () => {
    const key = 'x'.repeat(1_025);
    for (const operation of ['head', 'put'] as const) {
      inject({ operation, does: { status: 400, code: 'KeyTooLongError' } });
    }
    expect(await store.head(key)).toBeUndefined();
    await expect(store.put(key, Buffer.from(body))).rejects.toMatchObject({ reason: 'refused' });
    await expect(store.head('a.jpg')).rejects.toMatchObject({ reason: 'access-denied' });
  });

  test('one request an image', async () => {
    await store.get('a.jpg');
    await store.get('b.jpg', { etag: (await store.get('b.jpg')).etag, bytesMax: 10 });
    await expect(store.get('a.jpg', { bytesMax: 10 })).rejects.toThrow();
    await expect(store.get('a.jpg', { etag: 'other' })).rejects.toThrow();
    await expect(store.get('missing')).rejects.toThrow();
    expect(proxy.counts()).toEqual({ get: 6, head: 0, put: 0, delete: 0, list: 0, other: 0 });
  });

  test('an object that may not be read is one failure, not an outage', async () => {
    inject({ operation: 'get', key: 'a.jpg', does: accessDenied });
    inject({ operation: 'head', key: 'a.jpg', does: accessDenied });
    const refusal = {
      reason: 'access-denied',
      message: expect.stringMatching(/a\.jpg" .*GetObject/),
    };
    await expect(store.get('a.jpg')).rejects.toMatchObject(refusal);
    await expect(store.head('a.jpg')).rejects.toMatchObject(refusal);
    expect((await store.get('b.jpg')).bytes.length).toBe(1);
  });

  test('a bucket that may not be listed or written to is for a person to put right', async () => {
    for (const operation of ['list', 'put', 'delete'] as const) {
      inject({ operation, does: accessDenied });
    }
    const refusal = (permission: string) => ({
      reason: 'misconfigured',
      message: expect.stringMatching(new RegExp(`bucket "faults-.*grant .*${permission}`)),
    });
    await expect(store.check()).rejects.toMatchObject(refusal('s3:ListBucket'));
    await expect(listKeys(store)).rejects.toMatchObject(refusal('s3:ListBucket'));
    await expect(store.put('c', Buffer.from('c'))).rejects.toMatchObject(refusal('s3:PutObject'));
    await expect(store.delete('b')).rejects.toMatchObject(refusal('s3:DeleteObject'));
  });

  test('an archived object says how to get it back', async () => {
    inject({ key: 'a.jpg', does: { status: 403, code: 'InvalidObjectState' } });
    await expect(store.get('a.jpg')).rejects.toMatchObject({
      reason: 'access-denied',
      message: expect.stringContaining('restore it first'),
    });
  });

  test('tries twice, and then says what it was', async () => {
    inject({ key: 'a.jpg', times: 1, does: slowDown });
    expect((await store.get('a.jpg')).bytes.length).toBe(body.length);
    expect(proxy.counts().get).toBe(2);

    proxy.resetCounts();
    inject({ key: 'a.jpg', does: slowDown });
    await expect(store.get('a.jpg')).rejects.toMatchObject({
      reason: 'unavailable',
      message: expect.stringContaining('asks for fewer requests (503 SlowDown)'),
    });
    expect(proxy.counts().get).toBe(2);
  });

  test.each([
    [500, 'InternalError', 'unavailable'],
    [502, 'BadGateway', 'unavailable'],
    [429, 'TooManyRequests', 'unavailable'],
    [400, 'RequestTimeout', 'unavailable'],
    [403, 'InvalidAccessKeyId', 'misconfigured'],
    [403, 'SignatureDoesNotMatch', 'misconfigured'],
    [400, 'ExpiredToken', 'misconfigured'],
    [403, 'RequestTimeTooSkewed', 'misconfigured'],
    [400, 'KMS.DisabledException', 'access-denied'],
    [400, 'KeyTooLongError', 'not-found'],
  ])('%i %s is %s', async (status, code, reason) => {
    inject({ key: 'a.jpg', does: { status, code } });
    await expect(store.get('a.jpg')).rejects.toMatchObject({
      reason,
      message: expect.stringMatching(/^[^\n]+$/),
    });
  });

  test.each([
    [400, 'KeyTooLongError'],
    [414, 'RequestURITooLong'],
    [400, 'EntityTooLarge'],
    [400, 'XMinioInvalidObjectName'],
    [409, 'XMinioParentIsObject'],
  ])('a put refused with %i %s is about that one key', async (status, code) => {
    inject({ operation: 'put', key: 'a.jpg', does: { status, code } });
    for (const condition of [{}, { ifMatch: (await store.head('a.jpg'))?.etag }]) {
      await expect(store.put('a.jpg', Buffer.from('x'), condition)).rejects.toMatchObject({
        reason: 'refused',
        message: expect.stringMatching(new RegExp(`a\\.jpg" cannot be written.*${code}`)),
      });
    }
    await store.put('b.jpg', Buffer.from('b'));
  });

  test('a key that no URL can hold is refused', async () => {
    await expect(store.put('a\ud800', Buffer.from('x'))).rejects.toMatchObject({
      reason: 'refused',
    });
    await expect(store.get('a\ud800')).rejects.toMatchObject({ reason: 'not-found' });
  });

  test.each([{ delayMs: 60_000 }, { stallAfterBytes: 100_000 }, { cutAfterBytes: 100_000 }])(
    'an answer with %j is unavailable',
    async (does) => {
      inject({ key: 'a.jpg', does });
      const { config } = s3Access(proxy.endpoint);
      const hasty = await openStore(store.url, { ...config, requestTimeoutMs: 300 });
      await expect(hasty.get('a.jpg')).rejects.toMatchObject({ reason: 'unavailable' });
      hasty.close();
    },
  );

  test.each([{ stallAfterBytes: 100_000 }, { delayMs: 60_000 }])(
    'an abort ends a download with %j at once, with its reason',
    async (does) => {
      inject({ key: 'a.jpg', does });
      const controller = new AbortController();
      const reading = store.get('a.jpg', { signal: controller.signal });
      await waitFor(() => proxy.counts().get >= 1, { deadlineMs: 30_000, what: 'the request' });
      const reason = new Error('the worker stops');
      controller.abort(reason);
      await expect(reading).rejects.toBe(reason);
    },
  );

  test('an object replaced between listing and fetching is noticed', async () => {
    const etag = (await store.head('b.jpg'))?.etag;
    const replace = async () => {
      const direct = await openStore(store.url, server.config);
      await direct.put('b.jpg', Buffer.from('replaced'));
      direct.close();
    };
    inject({ operation: 'get', key: 'b.jpg', times: 1, does: { before: replace } });
    await expect(store.get('b.jpg', { etag })).rejects.toMatchObject({ reason: 'changed' });
  });
});

describe('with a server that answers by hand', () => {
  let http: Server;
  let answer: RequestListener;
  let store: ObjectStore;
  let connections: number;
  const xml =
    (status: number, content: string, headers = {}): RequestListener =>
    (request, response) => {
      response.writeHead(status, { 'content-type': 'application/xml', ...headers });
      response.end(request.method === 'HEAD' ? undefined : content);
    };
  const error = (code: string, more = '') =>
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message>${more}</Error>`;
  const open = (more: StoreConfig = {}) =>
    openStore('s3://archive', { ...s3Access(endpoint()).config, ...more });
  const endpoint = () => `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  beforeEach(async () => {
    http = createServer((request, response) => answer(request, response));
    connections = 0;
    http.on('connection', () => {
      connections += 1;
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    store = await open();
  });
  afterEach(async () => {
    store.close();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });

  test('keeps connections, whatever becomes of the requests', async () => {
    let requests = 0;
    answer = (request, response) => {
      requests += 1;
      const missing = requests % 2 === 0;
      xml(missing ? 404 : 200, missing ? error('NoSuchKey') : 'image')(request, response);
    };
    for (let i = 0; i < 40; i++) await store.get('k').catch(() => undefined);
    expect({ requests, connections }).toEqual({ requests: 40, connections: 1 });
  });

  test('says who asks', async () => {
    const heard = new Set<string | undefined>();
    answer = (request, response) => {
      heard.add(request.headers['user-agent']);
      xml(200, 'image', { etag: '"e"' })(request, response);
    };
    await store.get('k');
    await store.head('k');
    await store.put('k', Buffer.from('image'));
    expect([...heard]).toEqual([`cutline/${version}`]);
  });

  test('reads keys that are encoded as Amazon, and as others, encode them', async () => {
    const listing = [
      'a+b',
      'a%20b',
      'a%2Bb',
      'a%2520b',
      '%01%0A',
      '%E6%9D%B1/%C3%BC',
      '/lead',
      'x//y',
    ]
      .map(
        (key) => `<Contents><Key>${key}</Key><ETag>&quot;e&quot;</ETag><Size>1</Size></Contents>`,
      )
      .join('');
    answer = (request, response) => {
      expect(request.url).toContain('encoding-type=url');
      const name =
        '<Name>archive</Name><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>';
      xml(200, `<ListBucketResult>${name}${listing}</ListBucketResult>`)(request, response);
    };
    const keys = ['a b', 'a b', 'a+b', 'a%20b', '\u0001\n', '東/ü', '/lead', 'x//y'];
    expect(await listKeys(store)).toEqual(keys);
  });

  test('takes keys as they are from a store that does not encode them', async () => {
    answer = xml(
      200,
      '<ListBucketResult><Name>archive</Name><IsTruncated>false</IsTruncated>' +
        '<Contents><Key>a+b%20&amp;c</Key><ETag>"e"</ETag><Size>1</Size></Contents></ListBucketResult>',
    );
    expect(await listKeys(store)).toEqual(['a+b%20&c']);
  });

  test('says what has to be restored before it can be read', async () => {
    const restored = '<RestoreExpiryDate>2026-12-21T00:00:00Z</RestoreExpiryDate>';
    const objects = [
      ['a', 'STANDARD', ''],
      ['b', 'GLACIER', ''],
      ['c', 'DEEP_ARCHIVE', '<IsRestoreInProgress>true</IsRestoreInProgress>'],
      ['d', 'GLACIER', `<IsRestoreInProgress>false</IsRestoreInProgress>${restored}`],
      ['e', 'GLACIER_IR', ''],
    ].map(
      ([key, storage, restore]) =>
        `<Contents><Key>${key}</Key><StorageClass>${storage}</StorageClass>` +
        `<RestoreStatus>${restore}</RestoreStatus></Contents>`,
    );
    answer = (request, response) => {
      expect(request.headers['x-amz-optional-object-attributes']).toBe('RestoreStatus');
      const name = '<Name>archive</Name><IsTruncated>false</IsTruncated>';
      const page = `<ListBucketResult>${name}${objects.join('')}</ListBucketResult>`;
      xml(200, page)(request, response);
    };
    const archived: string[] = [];
    for await (const info of store.list()) if (info.archived) archived.push(info.key);
    expect(archived).toEqual(['b', 'c']);
  });

  test('shows that it is in no order, also where it is left before', async () => {
    const contents = ['a', 'm', 'b'].map((key) => `<Contents><Key>${key}</Key></Contents>`);
    answer = xml(
      200,
      '<ListBucketResult><Name>archive</Name><IsTruncated>false</IsTruncated>' +
        `${contents.join('')}</ListBucketResult>`,
    );
    expect(await listKeys(store)).toEqual(['a', 'm', 'b']);
    const sideBySide = { onStartIgnored: vi.fn() };
    const first = store.list('', { sideBySide })[Symbol.asyncIterator]().next();
    await expect(first).rejects.toThrow(/lists "b" after "m", which is not the order/);
    expect(sideBySide.onStartIgnored).not.toHaveBeenCalled();
  });

  test('tells that it does not begin where it is told, and leaves out what comes before', async () => {
    const contents = ['a', 'b', 'c'].map((key) => `<Contents><Key>${key}</Key></Contents>`);
    answer = xml(
      200,
      '<ListBucketResult><Name>archive</Name><IsTruncated>false</IsTruncated>' +
        `${contents.join('')}</ListBucketResult>`,
    );
    const sideBySide = { onStartIgnored: vi.fn() };
    const keys: string[] = [];
    for await (const { key } of store.list('', { startAfter: 'b', sideBySide })) keys.push(key);
    expect(keys).toEqual(['c']);
    expect(sideBySide.onStartIgnored).toHaveBeenCalledOnce();
  });

  test('does not take a listing that breaks off for one that ended', async () => {
    answer = xml(
      200,
      '<ListBucketResult><Name>archive</Name><IsTruncated>true</IsTruncated></ListBucketResult>',
    );
    await expect(listKeys(store)).rejects.toMatchObject({ reason: 'unavailable' });
  });

  test('takes weak and strong ETags for the same', async () => {
    answer = xml(200, 'image', { etag: 'W/"abc"' });
    expect(await store.get('k', { etag: 'abc' })).toMatchObject({ etag: 'abc' });
  });

  test.each([{ bytesMax: 10 }, { etag: 'other' }])(
    'closes the connection of a body that %j makes it leave unread',
    async (options) => {
      let closed = false;
      answer = (_request, response) => {
        response.on('close', () => {
          closed = true;
        });
        response.writeHead(200, { 'content-length': 50_000_000, etag: '"abc"' });
        response.write(Buffer.alloc(10_000_000));
      };
      await expect(store.get('k', options)).rejects.toMatchObject({ name: 'StoreError' });
      await waitFor(() => closed, { deadlineMs: 2_000, what: 'the connection to be closed' });
    },
  );

  test('stops reading a body of unknown length at the limit', async () => {
    let sent = 0;
    let closed = false;
    answer = (_request, response) => {
      response.on('close', () => {
        closed = true;
      });
      const send = () => {
        if (response.destroyed) return;
        sent += 65_536;
        response.write(Buffer.alloc(65_536), send);
      };
      send();
    };
    await expect(store.get('endless', { bytesMax: 1_000_000 })).rejects.toMatchObject({
      reason: 'too-large',
    });
    await waitFor(() => closed, { deadlineMs: 2_000, what: 'the connection to be closed' });
    expect(sent).toBeLessThan(20_000_000);
  });

  const region = { 'x-amz-bucket-region': 'eu-west-1' };
  test.each([
    ['a redirect', xml(301, error('PermanentRedirect'), region)],
    [
      'a refusal',
      xml(400, error('AuthorizationHeaderMalformed', '<Region>eu-west-1</Region>'), region),
    ],
  ])('the wrong region, told by %s, names the right one', async (_, listener) => {
    answer = listener;
    const expected = {
      reason: 'misconfigured',
      message: 'The bucket "archive" is in the region eu-west-1: set AWS_REGION=eu-west-1.',
    };
    await expect(store.check()).rejects.toMatchObject(expected);
    await expect(store.get('k')).rejects.toMatchObject(expected);
    await expect(store.head('k')).rejects.toMatchObject(expected); // an answer without a body
  });

  test.each([
    ['a web page', xml(200, '<html><body>Welcome</body></html>', { 'content-type': 'text/html' })],
    ['text', xml(200, 'It works!')],
    ['an error page', xml(404, 'Not found', { 'content-type': 'text/plain' })],
    ['no HTTP', ((_, response) => response.socket?.end('220 ready\r\n\r\n')) as RequestListener],
  ])('check does not take %s for an S3 server', async (_, listener) => {
    answer = listener;
    await expect(store.check()).rejects.toMatchObject({
      reason: 'misconfigured',
      message: expect.stringContaining(`${endpoint()} does not answer as S3 does`),
    });
  });

  test('https to a server that speaks http says so', async () => {
    answer = xml(200, '');
    const secure = await open({ endpoint: endpoint().replace('http:', 'https:') });
    await expect(secure.check()).rejects.toMatchObject({
      reason: 'misconfigured',
      message: expect.stringMatching(/secure connection to .*https:\/\/127.*http:\/\//),
    });
    secure.close();
  });

  test('path style can be turned off', async () => {
    let host: string | undefined;
    answer = (request, response) => {
      host = request.headers.host;
      xml(200, 'image')(request, response);
    };
    const virtual = await open({
      endpoint: endpoint().replace('127.0.0.1', 'localhost'),
      pathStyle: false,
    });
    // Not every resolver knows names below localhost; one that does not says which it was asked.
    const failure = await virtual.get('k').then(
      () => undefined,
      (error: Error) => (error.cause as { hostname?: string }).hostname,
    );
    expect(host ?? failure).toMatch(/^archive\.localhost/);
    virtual.close();
  });

  test('sends no checksum trailers to stores other than Amazon’s', async () => {
    let headers: Record<string, unknown> = {};
    answer = (request, response) => {
      headers = request.headers;
      request.resume();
      xml(200, '')(request, response);
    };
    await store.put('k', Buffer.from('content'), { contentType: 'text/plain' });
    expect(headers).toMatchObject({ 'content-length': '7', 'content-type': 'text/plain' });
    expect(
      Object.keys(headers).filter((name) => /checksum|trailer|content-encoding/.test(name)),
    ).toEqual([]);
  });
});

describe('in a process of its own', () => {
  const shared = fileURLToPath(import.meta.resolve('@cutline/shared/stores'));
  const run = async (body: string, env: Record<string, string | undefined>) => {
    const script = `import { openStore } from ${JSON.stringify(shared)};\n${body}`;
    const child = await startProcess({
      command: process.execPath,
      args: ['--input-type=module', '--eval', script],
      env: {
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: undefined,
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
        AWS_EC2_METADATA_DISABLED: 'true',
        AWS_CONFIG_FILE: '/dev/null',
        AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
        ...env,
      },
    });
    await child.exited;
    return { stdout: child.stdout.join('\n'), stderr: child.stderr.join('\n') };
  };
  const check = `
    const store = await openStore('s3://archive');
    await store.check().then(() => console.log('there'), (e) => console.log(e.reason + ': ' + e.message));
  `;

  test('the environment alone is enough, stderr stays clean, and nothing keeps the process', async () => {
    const server = await startS3();
    server.createBucket('archive');
    // Not closed: idle connections must not hold up the end of a process.
    expect(await run(check, server.env)).toEqual({ stdout: 'there', stderr: '' });
    await server.stop();
  });

  test('without credentials, it says which variables to set', async () => {
    expect(await run(check, { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' })).toEqual({
      stdout:
        'misconfigured: There are no credentials for the bucket "archive": set AWS_ACCESS_KEY_ID ' +
        'and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.',
      stderr: '',
    });
  });

  test('without a region, it says which variable to set', async () => {
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
    expect(await run(check, env)).toEqual({
      stdout: 'misconfigured: The region of the bucket "archive" is not known: set AWS_REGION.',
      stderr: '',
    });
  });

  test('where nothing listens, it names the endpoint', async () => {
    const env = s3Access('http://127.0.0.1:1').env;
    expect((await run(check, env)).stdout).toBe(
      'unavailable: Cannot reach the S3 server at http://127.0.0.1:1 (ECONNREFUSED): is it ' +
        'running, and is AWS_ENDPOINT_URL_S3 right?',
    );
  });

  describe('credentials that have expired', () => {
    /** Refuses the old ones as Amazon does, and writes what was asked for. */
    const serve = async () => {
      const http = createServer((request, response) => {
        const isOld = /Credential=OLD/.test(request.headers.authorization ?? '');
        response.writeHead(isOld ? 400 : 200, { 'content-type': 'application/xml', etag: '"e"' });
        const error = '<Error><Code>ExpiredToken</Code><Message>m</Message></Error>';
        const page =
          '<ListBucketResult><Name>archive</Name><IsTruncated>false</IsTruncated></ListBucketResult>';
        response.end(request.method === 'HEAD' ? undefined : isOld ? error : page);
      });
      await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
      return http;
    };
    const script = (renew: string) =>
      `
      import { writeFileSync } from 'node:fs';
      const file = process.env.AWS_SHARED_CREDENTIALS_FILE;
      const write = (id) => writeFileSync(file, '[default]\\naws_access_key_id = ' + id + '\\naws_secret_access_key = s\\n');
      write('OLD');
      const store = await openStore('s3://archive');
      const tell = (work) => work.then(() => console.log('done'), (e) => console.log(e.reason + ': ' + e.message));
      await tell(store.check());
      ${renew}
      await tell(store.check());
      await tell(store.get('k'));
      write('OLD');
      const other = await openStore('s3://archive');
      await other.check().catch(() => {});
      ${renew}
      await tell(other.head('k'));
    `.replaceAll('\\\\', '\\');
    const expired = 'misconfigured: The credentials have expired (ExpiredToken): renew them.';

    test.each([
      [
        'are read again once, before that is said',
        "write('NEW');",
        [expired, 'done', 'done', 'done'],
      ],
      [
        'are said to be so',
        '',
        [expired, expired, expired, expect.stringContaining('refused to head')],
      ],
    ])('%s', async (_, renew, said) => {
      const http = await serve();
      const folder = await mkdtemp(join(tmpdir(), 'cutline-credentials-'));
      const { stdout } = await run(script(renew), {
        AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
        AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
      });
      expect(stdout.split('\n')).toEqual(said);
      http.closeAllConnections();
      http.close();
      await rm(folder, { recursive: true });
    });
  });

  test('a folder is opened without loading the AWS SDK', async () => {
    const script = `
      import { createRequire } from 'node:module';
      const loaded = () =>
        Object.keys(createRequire(${JSON.stringify(shared)}).cache).some((f) => f.includes('client-s3'));
      await openStore('file:///tmp');
      console.log(loaded());
      await openStore('s3://archive', { region: 'eu-west-1' });
      console.log(loaded());
    `;
    expect(await run(script, {})).toEqual({ stdout: 'false\ntrue', stderr: '' });
  });
});
