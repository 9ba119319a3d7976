/**
 * Where images are read from and results are written to: an S3 bucket (`s3://bucket`) or a folder
 * (`file:///absolute/path`). One contract suite holds both to this interface.
 */
export interface ObjectStore {
  /** `s3://bucket` or `file:///absolute/path`: what `openStore` was given, normalised. */
  readonly url: string;

  /**
   * Every object whose key starts with `prefix`, in the store's listing order, fetched a page at
   * a time. S3: UTF-8 byte order of keys. Folder: the same order, over paths relative to the
   * folder with `/` between segments; symbolic links are followed to files, not to folders.
   */
  list(prefix?: string, options?: ListOptions): AsyncIterable<ObjectInfo>;

  /**
   * The whole object.
   * @throws StoreError `too-large` when it has more than `bytesMax` bytes (nothing more is read),
   *   `changed` when `etag` is given and the object's differs, and the others below.
   */
  get(key: string, options?: GetOptions): Promise<StoredObject>;

  /** What is known of an object without reading it; undefined where there is none. */
  head(key: string): Promise<ObjectInfo | undefined>;

  /**
   * Creates or replaces an object; readers see the old bytes or the new, never a mixture.
   * @throws StoreError `exists` where a condition does not hold: nothing is written then;
   *   `refused` where the store cannot hold an object of that key
   */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<{ etag: string }>;

  /** Deleting what does not exist is not an error. */
  delete(key: string): Promise<void>;

  /** Resolves when the store can be reached and its bucket or folder exists; else StoreError. */
  check(): Promise<void>;

  /** Releases connections. */
  close(): void;
}

export interface ObjectInfo {
  key: string;
  /** S3: as the store gives it, quotes removed. Folder: `<size>-<mtime in ms>`. */
  etag: string;
  bytes: number;
}

export interface StoredObject {
  bytes: Buffer;
  etag: string;
}

export interface ListOptions {
  /** Only keys that come after this one. */
  startAfter?: string;
}

export interface PutOptions {
  contentType?: string;
  /** Only where there is no such object. */
  ifAbsent?: boolean;
  /** Only where the object is the one with this ETag. */
  ifMatch?: string;
}

export interface GetOptions {
  bytesMax?: number;
  etag?: string | undefined;
  /** When it aborts, `get` rejects with its reason. */
  signal?: AbortSignal;
}

/**
 * - `not-found`, `access-denied`, `too-large`, `changed`: about one object, permanent.
 * - `exists`: the condition of a put does not hold.
 * - `refused`: the store cannot hold an object of that key (it is too long, say): permanent.
 * - `unavailable`: timeouts, refused connections, throttling, 5xx: transient.
 * - `misconfigured`: no such bucket or folder, no or wrong credentials, wrong region: a person has
 *   to act, and the message says how.
 */
export type StoreErrorReason =
  | 'not-found'
  | 'access-denied'
  | 'too-large'
  | 'changed'
  | 'exists'
  | 'refused'
  | 'unavailable'
  | 'misconfigured';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly reason: StoreErrorReason;
  /** Of `misconfigured`: there is no such bucket or folder, whoever asks for it. */
  readonly isMissingStore: boolean;

  constructor(
    reason: StoreErrorReason,
    message: string,
    options: ErrorOptions & { isMissingStore?: boolean } = {},
  ) {
    const { isMissingStore = false, ...rest } = options;
    super(message, rest);
    this.reason = reason;
    this.isMissingStore = isMissingStore;
  }
}
