import type { z } from 'zod';
import { UserError } from '../errors.ts';
import { type ObjectStore, type PutOptions, StoreError } from '../stores/object-store.ts';
import { getIfThere, readIfThere } from './read-if-there.ts';

/** Objects of a folder of a store that are JSON, and are held to a schema when they are read. */
export class JsonObjects {
  readonly #store: ObjectStore;
  readonly #prefix: string;

  /** @param prefix of all keys; names are what follows it */
  constructor(store: ObjectStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  /** @returns false where it is there already. */
  async create(name: string, value: unknown): Promise<boolean> {
    return this.write(name, value, { ifAbsent: true });
  }

  /** @returns false where the condition does not hold: it stays as it is. */
  async write(
    name: string,
    value: unknown,
    condition: Pick<PutOptions, 'ifAbsent' | 'ifMatch'>,
  ): Promise<boolean> {
    const bytes = Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`);
    try {
      const options = { contentType: 'application/json', ...condition };
      await this.#store.put(this.#prefix + name, bytes, options);
      return true;
    } catch (error) {
      if (isTaken(error)) return false;
      throw error;
    }
  }

  /** @throws UserError where it is not as this version writes it; as do all that read. */
  async read<T>(
    name: string,
    schema: z.ZodType<T>,
  ): Promise<{ value: T; etag: string } | undefined> {
    const object = await readIfThere(this.#store, this.#prefix + name);
    return object && { value: this.#parse(name, schema, object.bytes), etag: object.etag };
  }

  /** What a listing, or a put, has just said to be there: without a HEAD before it. */
  async readListed<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const object = await getIfThere(this.#store, this.#prefix + name);
    return object && this.#parse(name, schema, object.bytes);
  }

  #parse<T>(name: string, schema: z.ZodType<T>, bytes: Buffer): T {
    try {
      return schema.parse(JSON.parse(bytes.toString('utf8')));
    } catch (cause) {
      throw new UserError(
        `${this.#store.url}/${this.#prefix}${name} is not a ${name} that this version of Cutline ` +
          'understands. It may come from another version, or be damaged.',
        { cause },
      );
    }
  }
}

/** `isTaken`: a conditional put found an object there, or another than it expected. */
export function isTaken(error: unknown): boolean {
  return error instanceof StoreError && error.reason === 'exists';
}
