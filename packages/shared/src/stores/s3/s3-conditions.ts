import { type ObjectInfo, type PutCondition, StoreError } from '../object-store.ts';
import { requireCondition } from '../put-condition.ts';
import { Turns } from '../turns.ts';
import { attemptsOf, statusOf } from './s3-errors.ts';

/**
 * Puts and deletes with conditions, in stores that know them and in stores that do not.
 *
 * Amazon knows `If-None-Match: *` and `If-Match` for puts since 2024. Of others, some answer 501
 * or 400, and some ignore them, which is worse: two writers would both be told that they were
 * first. So the first put of each kind finds out:
 *
 * - `ifAbsent`: HEAD; where there is no object, PUT with the condition, and the same PUT once more,
 *   which must be refused.
 * - `ifMatch`: HEAD; where the ETag is the right one, PUT with a wrong one, which must be refused,
 *   and then the real PUT.
 *
 * A store that lacks them is asked by HEAD before each PUT, which is said once: within this
 * process nothing comes between the two, but another process may.
 */
export class S3Conditions {
  readonly #requests: ConditionalRequests;
  readonly #turns = new Turns();
  readonly #known = new Map<Kind, boolean>();

  constructor(requests: ConditionalRequests) {
    this.#requests = requests;
  }

  /**
   * @returns the new ETag
   * @throws StoreError `exists` when the condition does not hold
   */
  async put(put: ConditionalPut): Promise<string> {
    const kind: Kind = put.condition.ifAbsent ? 'ifAbsent' : 'ifMatch';
    if (!this.#known.has(kind)) {
      // The others wait for the first to find out; if it could not, the next one tries.
      const etag = await this.#turns.take(kind, async () => {
        if (this.#known.has(kind)) return undefined;
        await this.#requireByHead(put);
        return kind === 'ifAbsent' ? this.#tryIfAbsent(put) : this.#tryIfMatch(put);
      });
      if (etag !== undefined) return etag;
    }
    if (this.#known.get(kind)) return this.#send(put);
    return this.#turns.take(`key ${put.key}`, async () => {
      await this.#requireByHead(put);
      return this.#requests.put({ ...put, condition: {} });
    });
  }

  /**
   * By a HEAD first, whatever the store knows: Amazon keeps `If-Match` of deletes since 2025, others
   * may ignore it, and which of them do is not worth finding out by deleting something.
   * @throws StoreError `exists` when there is another version
   */
  async delete(key: string, ifMatch: string): Promise<void> {
    const found = await this.#requests.head(key);
    if (!found) return;
    requireCondition({ ifMatch }, found, this.#requests.nameOf(key));
    try {
      await this.#requests.delete(key, ifMatch);
    } catch (error) {
      if (error instanceof StoreError && error.reason === 'not-found') return;
      if (!isUnknownHeader(error)) throw error;
      await this.#requests.delete(key);
    }
  }

  async #tryIfAbsent(put: ConditionalPut): Promise<string> {
    let etag: string;
    try {
      etag = await this.#send(put);
    } catch (error) {
      if (isRefusal(error)) this.#known.set('ifAbsent', true); // another writer was first
      if (!isUnknownHeader(error)) throw error;
      return this.#putWithout('ifAbsent', put);
    }
    try {
      const again = await this.#requests.put(put);
      this.#lacks('ifAbsent');
      return again;
    } catch (error) {
      if (isRefusal(error)) this.#known.set('ifAbsent', true);
      // Anything else says nothing, and the object is there: the next put finds out.
      return etag;
    }
  }

  async #tryIfMatch(put: ConditionalPut): Promise<string> {
    try {
      const etag = await this.#requests.put({ ...put, condition: { ifMatch: wrongEtag } });
      this.#lacks('ifMatch');
      return etag;
    } catch (error) {
      if (isUnknownHeader(error)) return this.#putWithout('ifMatch', put);
      if (!isRefusal(error)) throw error;
    }
    this.#known.set('ifMatch', true);
    return this.#send(put);
  }

  /** Only a put that works without the condition shows that it was the condition. */
  async #putWithout(kind: Kind, put: ConditionalPut): Promise<string> {
    const etag = await this.#requests.put({ ...put, condition: {} });
    this.#lacks(kind);
    return etag;
  }

  /** The SDK tries twice: where the first reply was lost, it is our own object that exists. */
  async #send(put: ConditionalPut): Promise<string> {
    try {
      return await this.#requests.put(put);
    } catch (error) {
      if (!isRefusal(error) || attemptsOf(error) < 2) throw error;
      const etag = await this.#requests.etagIfSame(put.key, put.bytes);
      if (etag === undefined) throw error;
      return etag;
    }
  }

  #lacks(kind: Kind): void {
    this.#known.set(kind, false);
    this.#requests.notice(
      `${this.#requests.url} does not know ${headers[kind]} for puts: it is looked at before ` +
        'each of them instead, and for a moment two processes may both believe that they are ' +
        'the first. A store that knows it is safer.',
    );
  }

  async #requireByHead({ key, condition }: ConditionalPut): Promise<void> {
    const found = await this.#requests.head(key).catch((cause: unknown) => {
      if (!(cause instanceof StoreError) || cause.reason !== 'access-denied') throw cause;
      // Not about this one object: S3 answers 403 for what is not there, without s3:ListBucket.
      const more = statusOf(cause) === 403 ? ' And grant s3:ListBucket.' : '';
      throw new StoreError('misconfigured', cause.message + more, { cause });
    });
    requireCondition(condition, found, this.#requests.nameOf(key));
  }
}

export interface ConditionalPut {
  key: string;
  bytes: Uint8Array;
  contentType?: string | undefined;
  condition: PutCondition;
}

/** What is asked of the store. */
export interface ConditionalRequests {
  url: string;
  /** Sends the condition along as it is. @returns the new ETag @throws StoreError */
  put(put: ConditionalPut): Promise<string>;
  delete(key: string, ifMatch?: string): Promise<void>;
  head(key: string): Promise<ObjectInfo | undefined>;
  /** The object's ETag where it has exactly these bytes. */
  etagIfSame(key: string, bytes: Uint8Array): Promise<string | undefined>;
  /** The key, as messages show it. */
  nameOf(key: string): string;
  notice(text: string): void;
}

type Kind = 'ifAbsent' | 'ifMatch';

const headers = { ifAbsent: 'If-None-Match', ifMatch: 'If-Match' };

/** No object has it: an MD5 of zeros. */
const wrongEtag = '0'.repeat(32);

function isRefusal(error: unknown): boolean {
  return error instanceof StoreError && error.reason === 'exists';
}

/** How a store refuses a header that it does not know, if it does not ignore it. */
function isUnknownHeader(error: unknown): boolean {
  const status = statusOf(error);
  return status === 501 || status === 400;
}
