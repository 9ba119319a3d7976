import { z } from 'zod';
import { UserError } from '../errors.ts';
import type { ObjectStore } from '../stores/object-store.ts';
import { attemptName, attemptSchema, parseAttemptName } from './attempt.ts';
import { encodedImageSchema } from './encoded-image.ts';
import { featureTypes } from './feature-type.ts';
import { isTaken } from './json-objects.ts';
import { runIdSchema } from './run-name.ts';

/**
 * Features that a run keeps, so that it can be captioned again without its images:
 *
 *   <prefix>runs/<run>/features/000000.json           what an attempt at a batch has encoded
 *   <prefix>runs/<run>/features/000000.<id>.features   its features
 *
 * in the output store beside its parts, or wherever the run says. Names are those of parts. The
 * file is written first, under a name that no other try at the attempt has; the manifest of the
 * attempt, which names it, is created after it: of two tries the first stays, as of parts. A file
 * that no manifest names was left by a try that ended in between.
 */

const sizeSchema = z.int().positive();

export const keptBatchSchema = z.strictObject({
  format: z.literal(1),
  run: runIdSchema,
  batch: z.int().nonnegative(),
  attempt: attemptSchema,
  /** Id of the model that encoded them. */
  model: z.string(),
  /** What of that model encodes: see `encoderHash` of the captioner. */
  encoder: z.string(),
  /** null where no image was encoded. */
  features: z
    .strictObject({
      /** Of the file, in the same folder. */
      name: z.string(),
      bytes: sizeSchema,
      sha256: z.string(),
      dtype: z.enum(featureTypes),
      /** [images, L, D]: those that are `encoded`, in order. */
      shape: z.tuple([sizeSchema, sizeSchema, sizeSchema]),
    })
    .nullable(),
  images: z.array(encodedImageSchema),
});

export type KeptBatch = z.infer<typeof keptBatchSchema>;

export class KeptFeatures {
  readonly store: ObjectStore;
  readonly run: string;
  /** Of all keys. */
  readonly #prefix: string;

  /** @param prefix of the place: empty, or ends with a slash */
  constructor(store: ObjectStore, prefix: string, run: string) {
    this.store = store;
    this.run = run;
    this.#prefix = `${prefix}runs/${run}/features/`;
  }

  /** The key of a file that a manifest names. */
  fileKey(name: string): string {
    return this.#prefix + name;
  }

  /** @param id that no other try has. @returns the name of the file */
  async putFile(batch: number, attempt: string, id: string, bytes: Uint8Array): Promise<string> {
    const name = `${attemptName(batch, attempt)}.${id}.features`;
    const contentType = 'application/octet-stream';
    await this.store.put(this.fileKey(name), bytes, { contentType });
    return name;
  }

  /**
   * Creates the manifest of an attempt, unless it has one: the first one stays.
   * @returns the one that counts: this, or the one that was there before.
   */
  async createBatch(batch: KeptBatch): Promise<KeptBatch> {
    const key = this.#batchKey(batch.batch, batch.attempt);
    const bytes = Buffer.from(`${JSON.stringify(keptBatchSchema.parse(batch))}\n`);
    try {
      await this.store.put(key, bytes, { contentType: 'application/json', ifAbsent: true });
      return batch;
    } catch (error) {
      if (!isTaken(error)) throw error;
      return this.#read(key);
    }
  }

  /** The manifests of all attempts at a batch. */
  async readBatch(batch: number): Promise<KeptBatch[]> {
    const keys: string[] = [];
    for await (const { key } of this.store.list(`${this.#prefix}${attemptName(batch, '0')}.`)) {
      const parsed = parseAttemptName(this.run, key.slice(this.#prefix.length), '.json');
      if (parsed && key === this.#batchKey(parsed.batch, parsed.attempt)) keys.push(key);
    }
    return Promise.all(keys.map((key) => this.#read(key)));
  }

  #batchKey(batch: number, attempt: string): string {
    return `${this.#prefix}${attemptName(batch, attempt)}.json`;
  }

  async #read(key: string): Promise<KeptBatch> {
    const { bytes } = await this.store.get(key);
    try {
      return keptBatchSchema.parse(JSON.parse(bytes.toString('utf8')));
    } catch (cause) {
      throw new UserError(
        `${this.store.url}/${key} is no manifest of features that this version of Cutline ` +
          'understands. It may come from another version, or be damaged.',
        { cause },
      );
    }
  }
}
