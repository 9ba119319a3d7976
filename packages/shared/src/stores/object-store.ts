/**
 * Where images are read from and results are written to: an S3 bucket (`s3://bucket`) or a folder
 * (`file:///absolute/path`); memory, for tests and simulations. One contract suite holds all of
 * them to this interface.
 */
export interface ObjectStore {
  /** `s3://bucket` or `file:///absolute/path`: what `openStore` was given, normalised. */
  readonly url: string;

  /**
   * Every object whose key starts with `prefix`, in the store's listing order, fetched a page at
   * a time. S3: UTF-8 byte order of keys. Folder: the same order, over paths relative to the
   * folder with `/` between segments; symbolic links are followed to files, not to folders.
   *
   * With `startAfter`, only keys that come after it in byte order, whether or not it exists.
   */
  list(prefix?: string, options?: ListOptions): AsyncIterable<ObjectInfo>;

  /**
   * The whole object, or a range of its bytes.
   * @throws StoreError `too-large` when it has more than `bytesMax` bytes (nothing more is read),
   *   `changed` when `etag` is given and the object's differs, and the others below.
   */
  get(key: string, options?: GetOptions): Promise<StoredObject>;

  /** What is known of an object without reading it; undefined where there is none. */
  head(key: string): Promise<ObjectInfo | undefined>;

  /**
   * Creates or replaces an object; readers see the old bytes or the new, never a mixture.
   *
   * Of several that put with the same condition at once, one succeeds: in S3 wherever it knows
   * conditions, in a folder for `ifAbsent`. Elsewhere (S3Store and FolderStore say where) the
   * store is looked at right before, which leaves a moment in which another process may write.
   *
   * @returns the new object's ETag
   * @throws StoreError `exists` when the condition does not hold, `refused` when the store cannot
   *   hold an object of this key or size.
   */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<{ etag: string }>;

  /**
   * Deleting what does not exist is not an error. With `ifMatch`, only the object that has this
   * ETag is deleted; as with `put`, some stores look right before it, which leaves a moment.
   * @throws StoreError `exists` when there is another.
   */
  delete(key: string, options?: DeleteOptions): Promise<void>;

  /** Resolves when the store can be reached and its bucket or folder exists; else StoreError. */
  check(): Promise<void>;

  /** Releases connections. */
  close(): void;
}

export interface ListOptions {
  startAfter?: string | undefined;
  /** Folders: whether one inside that may not be read is listed as such; else the listing fails. */
  unreadable?: boolean | undefined;
  /**
   * The listing is one of several of the same prefix, each of which is left when it comes to where
   * the next one began. So a store that is asked page by page looks at whole pages, and throws a
   * UserError where they are not in order: what came later would be left out without a word.
   */
  sideBySide?: SideBySide | undefined;
}

export interface SideBySide {
  /** The store does not heed `startAfter`: it gives pages of what comes before. */
  onStartIgnored(): void;
}

export interface PutOptions extends PutCondition {
  contentType?: string;
}

/** At most one of the two. */
export interface PutCondition {
  /** Only where there is no object of this key. */
  ifAbsent?: true | undefined;
  /** Only in place of the object that has this ETag. */
  ifMatch?: string | undefined;
}

export type DeleteOptions = Pick<PutCondition, 'ifMatch'>;

export interface ObjectInfo {
  key: string;
  /**
   * Opaque. S3: as the store gives it, quotes removed. Folder: `<size>-<mtime in ms>`; a put makes
   * sure that the new file's time is later than the old one's, but a file that is deleted and
   * written again in the same tick of the clock (some ms) may have the ETag it had.
   */
  etag: string;
  bytes: number;
  /** As S3 names it (`STANDARD`, `GLACIER`, …); said by its listings alone. */
  storageClass?: string;
  /** It cannot be read until it is restored from an archive; said by listings alone. */
  archived?: true;
  /** It is a folder that may not be read: the key ends with a slash, `etag` and `bytes` say nothing. */
  unreadable?: true;
}

export interface StoredObject {
  bytes: Buffer;
  etag: string;
}

export interface GetOptions {
  /** From `start` up to, but not including, `end`, which the object has: ask `head`. */
  range?: { start: number; end: number } | undefined;
  /** Of what is read. */
  bytesMax?: number;
  etag?: string | undefined;
  /** When it aborts, `get` rejects with its reason. */
  signal?: AbortSignal;
}

/**
 * - `not-found`, `access-denied`, `too-large`, `changed`: about one object, permanent.
 * - `exists`: a put's precondition failed: the object exists, or its ETag differs, or it is gone.
 * - `refused`: the store cannot hold an object of this key or size, and never will.
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
