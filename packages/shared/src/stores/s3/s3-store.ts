import { addAbortSignal, type Readable } from 'node:stream';
import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { compareKeys, requireKeyOrder } from '../key-order.ts';
import {
  type DeleteOptions,
  type GetOptions,
  type ListOptions,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  StoreError,
} from '../object-store.ts';
import { etagIfSame } from '../same-object.ts';
import { readBody } from './s3-body.ts';
import { RenewableClient } from './s3-client.ts';
import { type ConditionalPut, S3Conditions } from './s3-conditions.ts';
import type { S3Config } from './s3-config.ts';
import { type S3Operation, s3Error, statusOf } from './s3-errors.ts';
import { decodeKey, listedInfo, plainEtag } from './s3-listed.ts';
import { s3Sdk } from './s3-sdk.ts';

/**
 * A bucket of Amazon S3, or of any store that speaks its protocol.
 *
 * It needs s3:ListBucket besides s3:GetObject and s3:PutObject, in the workers too: without it, S3
 * answers 403 for what does not exist, and a missing object looks like a forbidden one.
 */
export class S3Store implements ObjectStore {
  readonly url: string;
  readonly #bucket: string;
  readonly #client: RenewableClient;
  readonly #endpoint: string | undefined;
  readonly #conditions: S3Conditions;

  constructor(bucket: string, config: S3Config) {
    this.url = `s3://${bucket}`;
    this.#bucket = bucket;
    this.#client = new RenewableClient(config);
    this.#endpoint = config.endpoint;
    this.#conditions = new S3Conditions({
      url: this.url,
      put: (put) => this.#put(put),
      delete: (key, ifMatch) => this.#delete(key, ifMatch),
      head: (key) => this.head(key),
      etagIfSame: (key, bytes) => etagIfSame(this, key, bytes),
      nameOf: (key) => this.#name(key),
      notice: config.onNotice ?? (() => {}),
    });
  }

  async *list(
    prefix = '',
    { startAfter, sideBySide }: ListOptions = {},
  ): AsyncGenerator<ObjectInfo> {
    let token: string | undefined;
    let last: string | undefined;
    do {
      const page = await this.#listPage(prefix, pageSizeMax, { token, startAfter });
      const decode = page.EncodingType === 'url' ? decodeKey : (key: string) => key;
      const keys = (page.Contents ?? []).map(({ Key }) => decode(Key ?? ''));
      if (sideBySide) last = requireKeyOrder(this.url, keys, last);
      // Not every store heeds StartAfter.
      const isWanted = (key: string) =>
        startAfter === undefined || compareKeys(key, startAfter) > 0;
      if (keys[0] !== undefined && !isWanted(keys[0])) sideBySide?.onStartIgnored();
      for (const [n, object] of (page.Contents ?? []).entries()) {
        const key = keys[n]!;
        if (isWanted(key)) yield listedInfo(key, object);
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject> {
    const { bytesMax = Number.POSITIVE_INFINITY, etag, range, signal } = options;
    signal?.throwIfAborted();
    let body: Readable | undefined;
    try {
      const request = new s3Sdk.GetObjectCommand({
        Bucket: this.#bucket,
        Key: requireKey(key),
        ...(range && { Range: `bytes=${range.start}-${range.end - 1}` }),
      });
      const answer = await unlessAborted(
        this.#client.send((client) => client.send(request)),
        signal,
        ({ Body }) => (Body as Readable).destroy(),
      );
      body = answer.Body as Readable;
      if (signal) addAbortSignal(signal, body);
      const found = plainEtag(answer.ETag);
      // Compared here, and not by If-Match: not every store that speaks S3 heeds that.
      if (etag !== undefined && etag !== found) {
        throw new StoreError(
          'changed',
          `${this.#name(key)} was replaced: its ETag is ${found}, not ${etag}.`,
        );
      }
      if (range && answer.ContentRange === undefined) {
        throw new StoreError(
          'misconfigured',
          `${this.#endpoint ?? 'Amazon S3'} gives whole objects where a part of one is asked for.`,
        );
      }
      const bytes = await readBody(body, {
        name: this.#name(key),
        length: answer.ContentLength,
        bytesMax,
      });
      return { bytes, etag: found };
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw this.#storeError(error, 'get', key);
    } finally {
      // Read to its end, this does nothing, and the connection is kept. Otherwise it is closed:
      // a body that nobody reads would hold it for ever.
      body?.destroy();
    }
  }

  /** The 404 to a HEAD has no body: a missing bucket looks like a missing object. */
  async head(key: string): Promise<ObjectInfo | undefined> {
    try {
      const answer = await this.#client.send((client) =>
        client.send(new s3Sdk.HeadObjectCommand({ Bucket: this.#bucket, Key: requireKey(key) })),
      );
      return { key, etag: plainEtag(answer.ETag), bytes: answer.ContentLength ?? 0 };
    } catch (cause) {
      const error = this.#storeError(cause, 'head', key);
      if (error instanceof StoreError && error.reason === 'not-found') return undefined;
      // As other requests for such a key are, but without a body that says why.
      const isTooLong = statusOf(error) === 400 && Buffer.byteLength(key) > keyBytesMax;
      if (isTooLong) return undefined;
      throw error;
    }
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<{ etag: string }> {
    if (key === '' || isHalfACharacter(key)) {
      throw new StoreError('refused', `${this.#name(key)}: S3 does not take such a key.`);
    }
    const { contentType, ifAbsent, ifMatch } = options;
    const put: ConditionalPut = { key, bytes, contentType, condition: { ifAbsent, ifMatch } };
    const isConditional = ifAbsent || ifMatch !== undefined;
    return { etag: await (isConditional ? this.#conditions.put(put) : this.#put(put)) };
  }

  async #put({ key, bytes, contentType, condition }: ConditionalPut): Promise<string> {
    const { ifAbsent, ifMatch } = condition;
    try {
      const answer = await this.#client.send((client) =>
        client.send(
          new s3Sdk.PutObjectCommand({
            Bucket: this.#bucket,
            Key: key,
            Body: bytes,
            ...(contentType && { ContentType: contentType }),
            ...(ifAbsent && { IfNoneMatch: '*' }),
            ...(ifMatch !== undefined && { IfMatch: `"${ifMatch}"` }),
          }),
        ),
      );
      return plainEtag(answer.ETag);
    } catch (error) {
      throw this.#storeError(error, 'put', key);
    }
  }

  async delete(key: string, { ifMatch }: DeleteOptions = {}): Promise<void> {
    await (ifMatch === undefined ? this.#delete(key) : this.#conditions.delete(key, ifMatch));
  }

  async #delete(key: string, ifMatch?: string): Promise<void> {
    try {
      await this.#client.send((client) =>
        client.send(
          new s3Sdk.DeleteObjectCommand({
            Bucket: this.#bucket,
            Key: requireKey(key),
            ...(ifMatch !== undefined && { IfMatch: `"${ifMatch}"` }),
          }),
        ),
      );
    } catch (error) {
      throw this.#storeError(error, 'delete', key);
    }
  }

  /** By a listing, not by HeadBucket, whose errors have no body to say what is wrong. */
  async check(): Promise<void> {
    await this.#listPage('', 1);
  }

  close(): void {
    this.#client.destroy();
  }

  async #listPage(
    prefix: string,
    keysMax: number,
    { token, startAfter }: { token?: string | undefined; startAfter?: string | undefined } = {},
  ): Promise<ListObjectsV2CommandOutput> {
    let page: ListObjectsV2CommandOutput;
    try {
      page = await this.#client.send((client) =>
        client.send(
          new s3Sdk.ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: prefix,
            MaxKeys: keysMax,
            EncodingType: 'url', // XML cannot carry every character that a key may have
            OptionalObjectAttributes: ['RestoreStatus'],
            ...(token ? { ContinuationToken: token } : startAfter && { StartAfter: startAfter }),
          }),
        ),
      );
    } catch (error) {
      throw this.#storeError(error, 'list');
    }
    // Any well-formed page of a web server would pass for the listing of an empty bucket.
    if (page.Name === undefined && page.IsTruncated === undefined) {
      throw new StoreError(
        'misconfigured',
        `${this.#endpoint ?? 'Amazon S3'} does not answer as S3 does: check AWS_ENDPOINT_URL_S3.`,
      );
    }
    if (page.IsTruncated && !page.NextContinuationToken) {
      throw new StoreError(
        'unavailable',
        `${this.url}: a page of the listing says that more follow, but not where.`,
      );
    }
    return page;
  }

  #storeError(error: unknown, operation: S3Operation, key?: string): unknown {
    return s3Error(error, {
      operation,
      name: key === undefined ? this.url : this.#name(key),
      bucket: this.#bucket,
      endpoint: this.#endpoint,
    });
  }

  /** Quoted, so that spaces and control characters can be seen and the message is one line. */
  #name(key: string): string {
    return JSON.stringify(`${this.url}/${key}`);
  }
}

/**
 * Settles as the answer does, or rejects at once when the signal is aborted.
 *
 * @param discard gets an answer that comes later
 */
async function unlessAborted<Answer>(
  answer: Promise<Answer>,
  signal: AbortSignal | undefined,
  discard: (late: Answer) => void,
): Promise<Answer> {
  if (!signal) return answer;
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([answer, aborted]);
  } catch (error) {
    if (signal.aborted) answer.then(discard, () => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The protocol's own limits. */
const pageSizeMax = 1_000;
const keyBytesMax = 1_024;

/** An empty key would turn the request for an object into one for the whole bucket. */
function requireKey(key: string): string {
  if (key === '') throw new StoreError('not-found', 'An empty key names no object.');
  if (isHalfACharacter(key)) throw new StoreError('not-found', 'No object has such a key.');
  return key;
}

/** Half of a surrogate pair: it has no UTF-8, and so can be in no URL. */
function isHalfACharacter(key: string): boolean {
  return /\p{Surrogate}/u.test(key);
}
