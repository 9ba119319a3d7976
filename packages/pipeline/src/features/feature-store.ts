/**
 * Features in flight: written by encoders, read and removed by decoders. They wait for a decoder
 * for a limited time only; a batch whose features are gone is encoded again, so the limit bounds
 * what they take and loses nothing. Beside the values stand books of their sizes, so that encoders
 * can hold back when too much is in flight: the sum is exact, whatever is repeated.
 *
 * Three homes: a Redis, a bucket, a folder; and memory, for tests and for the simulator. One
 * contract suite holds them all. Every operation rejects with what the connection throws, which is
 * transient; what it was to do may have been done nevertheless.
 */
export interface FeatureStore {
  /** What names it in decode jobs: `redis`, or the URL of a store with a prefix of keys. */
  readonly home: string;

  /**
   * Stores a blob under a name, replacing what was there, and for its whole time anew.
   * @param name begins with the id of its job, and a dot: see `removeAll`.
   * @returns the bytes now in flight; what has expired may be among them.
   */
  put(name: string, blob: Buffer): Promise<number>;

  /** The blob, or undefined when it is gone (removed, expired and swept), or never was. */
  get(name: string): Promise<Buffer | undefined>;

  /** Removing what is not there is not an error. It works where there is no memory left, too. */
  remove(name: string): Promise<void>;

  /**
   * Removes all whose names begin so, but one. It looks at all names: for what is rare.
   * @param start the name of a run, or the id of a job, and a dot
   */
  removeAll(start: string, options?: { except?: string | undefined }): Promise<void>;

  /** Bytes in flight, after what has expired is swept away, from the books too. */
  bytesInFlight(): Promise<number>;

  /** How full the place is that holds the features, and whatever else is there. */
  memory(): Promise<FeatureMemory>;
}

export interface FeatureMemory {
  usedBytes: number;
  /** Beyond it, `put` rejects. Infinity where there is no limit. */
  limitBytes: number;
}

/** The home that is a Redis, whichever that is: its URL may hold a password, and is in no job. */
export const redisHome = 'redis';
