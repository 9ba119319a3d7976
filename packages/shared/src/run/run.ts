import { z } from 'zod';
import { UserError } from '../errors.ts';
import type { ObjectStore } from '../stores/object-store.ts';
import { batchNumber, parseJobId } from './attempt.ts';
import { captionOptionsSchema } from './caption-options.ts';
import { formatPart, type PartRow, parsePart } from './part.ts';
import { runIdSchema } from './run-name.ts';

/**
 * What a run leaves in the output store, and where:
 *
 *   <prefix>runs/<run>/run.json                   what was asked for, and how far the listing is
 *   <prefix>runs/<run>/manifest/000000.jsonl.gz   what was listed, in batch order
 *   <prefix>runs/<run>/parts/000000.jsonl         results: one object a batch …
 *   <prefix>runs/<run>/parts/000000.0r.jsonl      … and one for each attempt after the first
 *   <prefix>runs/<run>/summary.json               totals that reconcile; written last
 */

/** Which of the images that the source has belong to the run. */
export const selectionSchema = z.strictObject({
  /** A list of keys instead of a listing of the store: a path, an s3:// URL, or `-` for stdin. */
  keysFrom: z.string().nullable(),
  include: z.array(z.string()),
  exclude: z.array(z.string()),
  /** The first n images; what is skipped does not count. */
  limit: z.int().positive().nullable(),
  /** n images drawn at random, in the order of the listing. */
  sample: z.strictObject({ images: z.int().positive(), seed: z.int() }).nullable(),
});

export type Selection = z.infer<typeof selectionSchema>;

export const runSchema = z.strictObject({
  format: z.literal(1),
  run: runIdSchema,
  /** ISO 8601, UTC. */
  created: z.string(),
  source: z.strictObject({ store: z.string(), prefix: z.string() }),
  selection: selectionSchema,
  model: z.string(),
  options: captionOptionsSchema,
  sidecars: z.array(z.enum(['txt', 'json', 'xmp'])),
  batchSize: z.int().min(1).max(1024),
  /** Counts passes over the manifest; the attempts of a pass start with it. */
  generation: z.int().nonnegative(),
  /** Images in the manifest; null while the listing is not complete. */
  images: z.int().nonnegative().nullable(),
  cutline: z.string(),
});

export type Run = z.infer<typeof runSchema>;

export const summarySchema = z.strictObject({
  run: runIdSchema,
  images: z.int(),
  captioned: z.int(),
  skipped: z.int(),
  failed: z.int(),
  /** Images without a row: always 0 in a finished run, or the summary is not written. */
  missing: z.literal(0),
  skippedByReason: z.record(z.string(), z.int()),
  failedByClass: z.record(z.string(), z.int()),
  parts: z.int(),
  model: z.string(),
  created: z.string(),
  finished: z.string(),
  /** Over the time from `created` to `finished`. */
  imagesPerSecond: z.number(),
});

export type Summary = z.infer<typeof summarySchema>;

/** One part: the results of one attempt at a batch. */
export interface PartName {
  batch: number;
  attempt: string;
  key: string;
}

/** Reads and writes one run's objects. */
export class RunStore {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly run: string;

  constructor(store: ObjectStore, prefix: string, run: string) {
    this.store = store;
    this.run = run;
    this.prefix = `${prefix}runs/${run}/`;
  }

  /** Where people find the run: a URL to print. */
  get url(): string {
    return `${this.store.url}/${this.prefix}`;
  }

  /** @throws UserError where there is no such run, or it was written by another version. */
  async readRun(): Promise<Run> {
    const run = await this.#read('run.json', runSchema);
    if (!run) {
      throw new UserError(
        `There is no run "${this.run}" in ${this.store.url} (no ${this.prefix}run.json). ` +
          'Check --output and the run\'s name, or start it with "cutline run".',
      );
    }
    return run;
  }

  async exists(): Promise<boolean> {
    return (await this.store.head(`${this.prefix}run.json`)) !== undefined;
  }

  async writeRun(run: Run): Promise<void> {
    await this.#write('run.json', runSchema.parse(run));
  }

  async readSummary(): Promise<Summary | undefined> {
    return this.#read('summary.json', summarySchema);
  }

  async writeSummary(summary: Summary): Promise<void> {
    await this.#write('summary.json', summarySchema.parse(summary));
  }

  /** A run that goes on after it was finished (resume, retry) has no summary until it ends. */
  async deleteSummary(): Promise<void> {
    await this.store.delete(`${this.prefix}summary.json`);
  }

  manifestKey(chunk: number): string {
    return `${this.prefix}manifest/${batchNumber(chunk)}.jsonl.gz`;
  }

  partKey(batch: number, attempt: string): string {
    const suffix = attempt === '0' ? '' : `.${attempt}`;
    return `${this.prefix}parts/${batchNumber(batch)}${suffix}.jsonl`;
  }

  /** The parts that exist, by batch. */
  async listParts(): Promise<Map<number, PartName[]>> {
    const parts = new Map<number, PartName[]>();
    const folder = `${this.prefix}parts/`;
    for await (const { key } of this.store.list(folder)) {
      const name = key.slice(folder.length);
      if (!name.endsWith('.jsonl')) continue;
      const [number, attempt = '0'] = name.slice(0, -'.jsonl'.length).split('.');
      const parsed = parseJobId(`${this.run}.${number}.${attempt}`);
      // What somebody else put there, or a copy, is no part.
      if (!parsed || key !== this.partKey(parsed.batch, parsed.attempt)) continue;
      const part = { batch: parsed.batch, attempt: parsed.attempt, key };
      const others = parts.get(parsed.batch);
      if (others) others.push(part);
      else parts.set(parsed.batch, [part]);
    }
    return parts;
  }

  async readPart(part: PartName): Promise<PartRow[]> {
    const { bytes } = await this.store.get(part.key);
    return parsePart(bytes, part.key);
  }

  async writePart({ batch, attempt }: Omit<PartName, 'key'>, rows: PartRow[]): Promise<void> {
    await this.store.put(this.partKey(batch, attempt), formatPart(rows), {
      contentType: 'application/x-ndjson',
    });
  }

  async #read<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const key = this.prefix + name;
    if (!(await this.store.head(key))) return undefined;
    const { bytes } = await this.store.get(key);
    try {
      return schema.parse(JSON.parse(bytes.toString('utf8')));
    } catch (cause) {
      throw new UserError(
        `${this.store.url}/${key} is not a ${name} that this version of Cutline understands. ` +
          'It may come from another version, or be damaged.',
        { cause },
      );
    }
  }

  async #write(name: string, value: unknown): Promise<void> {
    await this.store.put(
      this.prefix + name,
      Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`),
      { contentType: 'application/json' },
    );
  }
}
