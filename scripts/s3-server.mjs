// @ts-check

/**
 * The S3-protocol server of the demo and the tests: fauxqs, in this process, in memory (but for the
 * demo's buckets, `file-bucket.mjs`), on 127.0.0.1 only, for as long as the process runs. Any
 * credentials will do. By itself:
 *
 *     node scripts/s3-server.mjs [port]
 *
 * fauxqs 1.9.2 needs four corrections to be S3 enough
 * (docs/decisions/0002-s3-server-for-demo-and-tests.md), which are made here:
 * - It sorts keys by locale but continues a listing by code units, and so leaves out keys at page
 *   boundaries. S3 lists in the order of the keys' UTF-8 bytes.
 * - It ignores `encoding-type=url`.
 * - It refuses objects above 11 MiB.
 * - It knows conditions on GET only, and does whatever a PUT with `If-None-Match: *` or `If-Match`, or
 *   a DELETE with `If-Match`, asks.
 */

/** S3's own limit for one request. */
const objectBytesMax = 5 * 1024 ** 3;

/**
 * @param {{ port?: number, conditions?: boolean }} [options] port 0 (default): a free one;
 *   `conditions: false` leaves the last correction out, as there are stores like that
 */
export async function startS3Server({ port = 0, conditions = true } = {}) {
  const { buildApp } = await import('fauxqs');
  const { S3Store } = await inPackage('./s3/s3Store.js');
  const { SqsStore } = await inPackage('./sqs/sqsStore.js');
  const { SnsStore } = await inPackage('./sns/snsStore.js');
  const s3Store = new S3Store();
  s3Store.listObjects = listInByteOrder;

  const app = buildApp({
    logger: false,
    stores: { s3Store, sqsStore: new SqsStore(), snsStore: new SnsStore() },
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const { 'encoding-type': encoding } = /** @type {Record<string, string>} */ (request.query);
    if (encoding !== 'url' || reply.statusCode !== 200) return payload;
    return urlEncodeKeys(String(payload));
  });
  app.addContentTypeParser(
    /^/,
    { parseAs: 'buffer', bodyLimit: objectBytesMax },
    async (/** @type {unknown} */ _request, /** @type {Buffer} */ body) => body,
  );
  if (conditions) app.addHook('preHandler', refuseUnmetConditions(s3Store));
  const endpoint = await app.listen({ host: '127.0.0.1', port });

  return {
    endpoint,
    /**
     * @param {string} name
     * @param {Map<string, any>} [objects] by key; default: in memory
     */
    createBucket(name, objects) {
      s3Store.createBucket(name);
      if (objects) s3Store.buckets.set(name, objects);
    },
    stop: () => app.close(),
  };
}

/**
 * A module of fauxqs that it does not export: the stores that `buildApp` takes, and their errors.
 *
 * @param {string} path
 */
export function inPackage(path) {
  return import(new URL(path, import.meta.resolve('fauxqs')).href);
}

/**
 * @this {{ buckets: Map<string, Map<string, { key: string }>> }}
 * @param {string} bucket
 * @param {{ prefix?: string, maxKeys?: number, startAfter?: string, marker?: string }} options
 */
function listInByteOrder(bucket, options) {
  const { prefix = '', maxKeys = 1000, startAfter, marker } = options;
  const objects = this.buckets.get(bucket);
  // The class's own method, for its answer to a missing bucket.
  if (!objects) return Object.getPrototypeOf(this).listObjects.call(this, bucket, {});
  const after = Buffer.from(startAfter || marker || '');
  const matching = [...objects.values()]
    .filter(({ key }) => key.startsWith(prefix))
    .map((object) => ({ object, bytes: Buffer.from(object.key) }))
    .filter(({ bytes }) => Buffer.compare(bytes, after) > 0)
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  return {
    objects: matching.slice(0, maxKeys).map(({ object }) => object),
    commonPrefixes: [],
    isTruncated: matching.length > maxKeys,
  };
}

/**
 * A hook with a callback: between it and the handler, which writes synchronously, nothing else runs.
 *
 * @param {{ buckets: Map<string, Map<string, { etag: string }>> }} s3Store
 * @returns {(request: any, reply: any, done: () => void) => void}
 */
function refuseUnmetConditions(s3Store) {
  return (request, reply, done) => {
    const { 'if-none-match': ifNoneMatch, 'if-match': ifMatch } = request.headers;
    const objects = s3Store.buckets.get(request.params.bucket);
    const isKept = /^(PUT|DELETE)$/.test(request.method) && request.params['*'] && objects;
    if (!isKept || (ifNoneMatch === undefined && ifMatch === undefined)) return done();
    const found = objects.get(request.params['*'])?.etag;
    const refuse = (/** @type {number} */ status, /** @type {string} */ code) =>
      reply
        .status(status)
        .header('content-type', 'application/xml')
        .send(
          `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code>` +
            '<Message>At least one of the pre-conditions you specified did not hold</Message></Error>',
        );
    if (ifNoneMatch === '*' && found !== undefined) return refuse(412, 'PreconditionFailed');
    if (ifMatch !== undefined && found === undefined) return refuse(404, 'NoSuchKey');
    const plain = (/** @type {string} */ etag) => etag.replaceAll('"', '');
    if (ifMatch !== undefined && found !== undefined && plain(found) !== plain(ifMatch)) {
      return refuse(412, 'PreconditionFailed');
    }
    done();
  };
}

/** As Amazon writes it: a space as `+`, slashes as they are. @param {string} listing */
function urlEncodeKeys(listing) {
  return listing
    .replace(/<Key>(.*?)<\/Key>/gs, (_, /** @type {string} */ escaped) => {
      const key = escaped
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
        .replaceAll('&quot;', '"')
        .replaceAll('&apos;', "'")
        .replaceAll('&amp;', '&');
      const encoded = encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%20', '+');
      return `<Key>${encoded}</Key>`;
    })
    .replace('</ListBucketResult>', '<EncodingType>url</EncodingType></ListBucketResult>');
}

if (import.meta.filename === process.argv[1]) {
  const port = process.argv[2] ?? '0';
  try {
    if (!/^\d{1,5}$/.test(port)) throw new Error('usage: node scripts/s3-server.mjs [port]');
    const { endpoint } = await startS3Server({ port: Number(port) });
    process.stdout.write(
      `An S3-protocol server, in memory, listens at ${endpoint}\n` +
        `For Cutline: export AWS_ENDPOINT_URL_S3=${endpoint}  (with any credentials)\n`,
    );
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    const taken = `Port ${port} is in use by another process: leave it out, and a free one is taken.`;
    process.stderr.write(`${code === 'EADDRINUSE' ? taken : message}\n`);
    process.exit(2);
  }
}
