import { backoffMs } from '../backoff.ts';
import {
  type GetOptions,
  type ListOptions,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  StoreError,
} from './object-store.ts';
import { etagIfSame } from './same-object.ts';

/** Time and chance, handed in, so that a simulation can let hours pass in milliseconds. */
export interface PatientWorld {
  now(): number;
  /** @throws the signal's reason, when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** [0, 1) */
  random(): number;
}

export interface PatientOptions {
  /** How long one operation is tried, in milliseconds, at least 0. Default: without end. */
  deadlineMs?: number;
  /** An outage begins: operations wait. Told once, however many of them there are. */
  onWait?(error: StoreError): void;
  /** Nothing waits any more. `durationMs`: since the first began to. */
  onOver?(durationMs: number): void;
  /** Ends all waiting: what waits then fails with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * A store that waits out outages: what is `unavailable` is tried again, after pauses that double
 * from 0.5 s to a minute (each between half of that and the whole), until it works, or until
 * `deadlineMs` have passed since its first failure, when its last error is thrown.
 *
 * - A listing goes on after the last key that it gave.
 * - A put with a condition whose reply was lost meets its own object at the next try. Where exactly
 *   those bytes are there, it counts as done: that another wrote the same in between cannot be told
 *   apart, so what must be one's own (a lock) has to say whose it is.
 *
 * `check` asks whether the store can be reached now, and so does not wait.
 */
export function patientStore(
  store: ObjectStore,
  world: PatientWorld,
  options: PatientOptions = {},
): ObjectStore {
  const outages = new Outages(world, options);
  return {
    url: store.url,
    list: (prefix?: string, listOptions?: ListOptions) =>
      listPatiently(store, outages, prefix, listOptions),
    get: (key, getOptions) => getPatiently(store, outages, key, getOptions),
    head: (key) => outages.sitOut(() => store.head(key)),
    put: (key, bytes, putOptions) => putPatiently(store, outages, key, bytes, putOptions),
    delete: (key, deleteOptions) => outages.sitOut(() => store.delete(key, deleteOptions)),
    check: () => store.check(),
    close: () => store.close(),
  };
}

const pauseMsMin = 500;
const pauseMsMax = 60_000;

function getPatiently(
  store: ObjectStore,
  outages: Outages,
  key: string,
  options: GetOptions = {},
): Promise<StoredObject> {
  return outages.sitOut(() => store.get(key, options), options.signal);
}

async function putPatiently(
  store: ObjectStore,
  outages: Outages,
  key: string,
  bytes: Uint8Array,
  options: PutOptions = {},
): Promise<{ etag: string }> {
  const isConditional = options.ifAbsent || options.ifMatch !== undefined;
  let tries = 0;
  try {
    return await outages.sitOut(() => {
      tries += 1;
      return store.put(key, bytes, options);
    });
  } catch (error) {
    const mayBeOurs = isConditional && tries > 1;
    if (!mayBeOurs || !(error instanceof StoreError) || error.reason !== 'exists') throw error;
    const etag = await outages.sitOut(() => etagIfSame(store, key, bytes));
    if (etag === undefined) throw error;
    return { etag };
  }
}

async function* listPatiently(
  store: ObjectStore,
  outages: Outages,
  prefix?: string,
  { startAfter, ...options }: ListOptions = {},
): AsyncGenerator<ObjectInfo> {
  let last = startAfter;
  const wait = outages.begin();
  for (;;) {
    try {
      for await (const info of store.list(prefix, { ...options, startAfter: last })) {
        wait.over();
        last = info.key;
        yield info;
      }
      wait.over();
      return;
    } catch (error) {
      await wait.afterFailure(error);
    }
  }
}

interface Wait {
  /** Waits until it is time for another try. @throws the error, when there is to be none. */
  afterFailure(error: unknown): Promise<void>;
  /** It worked. */
  over(): void;
}

/** What waits, and for how long already. */
class Outages {
  readonly #world: PatientWorld;
  readonly #options: PatientOptions;
  #waiting = 0;
  #sinceMs = 0;

  constructor(world: PatientWorld, options: PatientOptions) {
    this.#world = world;
    this.#options = options;
  }

  async sitOut<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const wait = this.begin(signal);
    for (;;) {
      try {
        const result = await work();
        wait.over();
        return result;
      } catch (error) {
        await wait.afterFailure(error);
      }
    }
  }

  /** The patience of one operation. */
  begin(signal?: AbortSignal): Wait {
    const world = this.#world;
    const { deadlineMs = Number.POSITIVE_INFINITY } = this.#options;
    const signals = [signal, this.#options.signal].filter((given) => given !== undefined);
    let failures = 0;
    let sinceMs = 0;
    const over = () => {
      if (failures > 0) this.#goOn();
      failures = 0;
    };
    const afterFailure = async (error: unknown) => {
      if (!(error instanceof StoreError) || error.reason !== 'unavailable') {
        over(); // the store has answered
        throw error;
      }
      if (failures === 0) sinceMs = world.now();
      const random = () => world.random();
      const pauseMs = backoffMs(failures + 1, { baseMs: pauseMsMin, maxMs: pauseMsMax, random });
      if (failures === 0) this.#wait(error);
      failures += 1;
      try {
        if (world.now() - sinceMs + pauseMs > deadlineMs) throw error;
        await world.sleep(pauseMs, signals.length > 0 ? AbortSignal.any(signals) : undefined);
      } catch (reason) {
        this.#waiting -= 1; // given up, which does not mean that it is over
        throw reason;
      }
    };
    return { afterFailure, over };
  }

  #wait(error: StoreError): void {
    this.#waiting += 1;
    if (this.#waiting > 1) return;
    this.#sinceMs = this.#world.now();
    this.#options.onWait?.(error);
  }

  #goOn(): void {
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#options.onOver?.(this.#world.now() - this.#sinceMs);
  }
}
