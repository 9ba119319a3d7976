/**
 * Features in flight: written by encoders, read and removed by decoders. They wait for a decoder
 * for a limited time only; a batch whose features are gone is encoded again, so the limit bounds
 * memory and loses nothing. Beside the values stand books of their sizes, so that encoders can hold
 * back when too much is in flight: the sum is exact, whatever is repeated.
 *
 * On Redis, and in memory for tests and for the simulator; one contract suite holds both. Every
 * operation rejects with what the connection throws, which is transient; what it was to do may have
 * been done nevertheless.
 */
export interface FeatureStore {
  /**
   * Stores a blob under a name, replacing what was there, and for its whole time anew.
   * @returns the bytes now in flight; what has expired may be among them.
   */
  put(name: string, blob: Buffer): Promise<number>;

  /** The blob, or undefined when it expired, was removed, or never was. */
  get(name: string): Promise<Buffer | undefined>;

  /** Removing what is not there is not an error. It works where there is no memory left, too. */
  remove(name: string): Promise<void>;

  /** Bytes in flight, after expired values are taken off the books. */
  bytesInFlight(): Promise<number>;

  /** How full the place is that holds the features, and whatever else is there. */
  memory(): Promise<FeatureMemory>;
}

export interface FeatureMemory {
  usedBytes: number;
  /** Beyond it, `put` rejects. Infinity where there is no limit. */
  limitBytes: number;
}
