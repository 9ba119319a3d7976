import type {
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoredObject,
} from './object-store.ts';
import { StoreError } from './object-store.ts';

export interface Patience {
  world: { sleep(ms: number): Promise<void>; random(): number; now(): number };
  /** Told once an outage, with its first error. */
  onWait?: (error: unknown) => void;
  /** Told when it is over. */
  onOver?: (durationMs: number) => void;
}

const pauseMsMin = 500;
const pauseMsMax = 60_000;

/**
 * A store that waits through outages: whatever is `unavailable` is tried again, soon at first, then
 * every minute or so, for as long as it takes. A listing goes on after the last key that it gave.
 *
 * A put whose answer was lost may have been done: where its condition then does not hold, but what
 * is there is what was to be put, it was this put that put it there.
 */
export function patientStore(store: ObjectStore, patience: Patience): ObjectStore {
  let outage: { sinceMs: number } | undefined;
  const { world, onWait, onOver } = patience;
  const isOutage = (error: unknown) =>
    error instanceof StoreError && error.reason === 'unavailable';

  const wait = async (error: unknown, failures: number) => {
    if (!outage) {
      outage = { sinceMs: world.now() };
      onWait?.(error);
    }
    const ceiling = Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(failures - 1, 10));
    await world.sleep(ceiling * (0.5 + world.random() / 2));
  };
  const over = () => {
    if (outage) onOver?.(world.now() - outage.sinceMs);
    outage = undefined;
  };
  const patiently = async <T>(attempt: (failures: number) => Promise<T>): Promise<T> => {
    for (let failures = 0; ; ) {
      try {
        const result = await attempt(failures);
        over();
        return result;
      } catch (error) {
        if (!isOutage(error)) throw error;
        failures += 1;
        await wait(error, failures);
      }
    }
  };

  return {
    url: store.url,
    async *list(prefix?: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
      let { startAfter } = options;
      for (let failures = 0; ; ) {
        try {
          for await (const object of store.list(
            prefix,
            startAfter === undefined ? {} : { startAfter },
          )) {
            failures = 0;
            over();
            startAfter = object.key;
            yield object;
          }
          return over();
        } catch (error) {
          if (!isOutage(error)) throw error;
          failures += 1;
          await wait(error, failures);
        }
      }
    },
    get: (key: string, options?: GetOptions): Promise<StoredObject> =>
      patiently(() => store.get(key, options)),
    head: (key: string) => patiently(() => store.head(key)),
    put: (key: string, bytes: Uint8Array, options?: PutOptions) =>
      patiently(async (failures) => {
        try {
          return await store.put(key, bytes, options);
        } catch (error) {
          const isOurs = failures > 0 && error instanceof StoreError && error.reason === 'exists';
          if (!isOurs) throw error;
          const there = await store.get(key).catch((cause: unknown) => {
            if (isOutage(cause)) throw cause;
            return undefined;
          });
          if (there && Buffer.compare(there.bytes, bytes) === 0) return { etag: there.etag };
          throw error;
        }
      }),
    delete: (key: string) => patiently(() => store.delete(key)),
    check: () => store.check(),
    close: () => store.close(),
  };
}
