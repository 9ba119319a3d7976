import type { z } from 'zod';
import { UserError } from '../errors.ts';
import { type ObjectStore, StoreError } from '../stores/object-store.ts';
import { attemptName, batchNumber, parseAttemptName } from './attempt.ts';
import {
  type Claim,
  claimFrom,
  claimName,
  claimSchema,
  storedClaimSchema,
  type Takeover,
  takeoverName,
  takeoverSchema,
} from './claim.ts';
import { isTaken, JsonObjects } from './json-objects.ts';
import { checkLedger, type Ledger, ledgerName, ledgerSchema, parseLedgerName } from './ledger.ts';
import { formatPart, type PartRow, parsePart } from './part.ts';
import { getIfThere } from './read-if-there.ts';
import { checkSummary, type Run, runSchema, type Summary, summarySchema } from './run.ts';

/**
 * Reads and writes one run's objects in the output store:
 *
 *   <prefix>runs/<run>/plan.json                  what it was thought to take, before it was begun
 *   <prefix>runs/<run>/run.json                   what was asked for
 *   <prefix>runs/<run>/claims/000000.json         who took the run, one claim a pass …
 *   <prefix>runs/<run>/claims/000001.takeover.json  … and how much was listed then, if not all was
 *   <prefix>runs/<run>/manifest/000000.jsonl.gz   what was listed, in batch order …
 *   <prefix>runs/<run>/manifest/end.json          … and how much that is in all
 *   <prefix>runs/<run>/parts/000000.jsonl         results: one object for each attempt at a batch
 *   <prefix>runs/<run>/sidecars/000000.….jsonl    what was written beside images: sidecar-records.ts
 *   <prefix>runs/<run>/results/000000.parquet     the same of a chunk that is compacted: results/
 *   <prefix>runs/<run>/ledger/000000.json         what counts of a chunk of the manifest
 *   <prefix>runs/<run>/reviews/                   what people decided: reviews/
 *   <prefix>runs/<run>/summary.json               the sum of ledgers; written last
 *
 * Nothing is ever replaced but summary.json, and a reviewer's own last object, and these only if
 * they are as they were; and plan.json, until there is a run.
 * What a later generation (see claim.ts) writes has its number in its name: `000000.1.jsonl.gz`,
 * `000000.1ra.jsonl`, `000000.1.json`.
 */
export class RunStore {
  readonly store: ObjectStore;
  readonly run: string;
  /** Of all keys: `<prefix>runs/<run>/`. */
  readonly prefix: string;
  readonly #objects: JsonObjects;

  /** @param folder of the run's objects, where that is not below the output's prefix */
  constructor(store: ObjectStore, prefix: string, run: string, folder = `runs/${run}/`) {
    this.store = store;
    this.run = run;
    this.prefix = prefix + folder;
    this.#objects = new JsonObjects(store, this.prefix);
  }

  /** Where people find the run: a URL to print. */
  get url(): string {
    return `${this.store.url}/${this.prefix}`;
  }

  /** @throws UserError where there is no such run, or it was written by another version. */
  async readRun(): Promise<Run> {
    const run = await this.#objects.read('run.json', runSchema);
    if (run) return run.value;
    throw new UserError(
      `There is no run "${this.run}" in ${this.store.url} (no ${this.prefix}run.json). ` +
        'Check --output and the run\'s name, or start it with "cutline run".',
    );
  }

  async exists(): Promise<boolean> {
    return (await this.store.head(`${this.prefix}run.json`)) !== undefined;
  }

  /** @returns false where there is a run of that name already: it stays as it is. */
  async createRun(run: Run): Promise<boolean> {
    return this.#objects.create('run.json', runSchema.parse(run));
  }

  /** All claims, in their order. */
  async readClaims(): Promise<Claim[]> {
    const claims: Claim[] = [];
    const names = new Set<string>();
    for await (const name of this.#listNames('claims/')) names.add(name);
    for (let n = 0; names.has(claimName(n)); n++) {
      const claim = await this.#objects.readListed(claimName(n), storedClaimSchema);
      if (!claim) break;
      const takeover = names.has(takeoverName(n))
        ? await this.#objects.readListed(takeoverName(n), takeoverSchema)
        : undefined;
      claims.push(claimFrom(claim, takeover, claims));
    }
    return claims;
  }

  /** How many there are, without reading them. */
  async countClaims(): Promise<number> {
    let claims = 0;
    for await (const name of this.#listNames('claims/')) {
      if (name === claimName(claims)) claims += 1;
    }
    return claims;
  }

  /** Within the run's folder. */
  async *#listNames(folder: string): AsyncGenerator<string> {
    for await (const { key } of this.store.list(this.prefix + folder)) {
      yield key.slice(this.prefix.length);
    }
  }

  /** @returns false where another has that number. */
  async createClaim({ takeover: _, ...claim }: Claim): Promise<boolean> {
    return this.#objects.create(claimName(claim.generation), claimSchema.parse(claim));
  }

  /** @returns false where it is there: nobody but who made the claim may write it, and once. */
  async createTakeover(generation: number, takeover: Takeover): Promise<boolean> {
    return this.#objects.create(takeoverName(generation), takeoverSchema.parse(takeover));
  }

  /** Whether somebody else than the owner of a claim has claimed the run since. */
  async isSuperseded(generation: number, owner: string): Promise<boolean> {
    for (let next = generation + 1; ; next += 1) {
      const claim = await this.#objects.read(claimName(next), storedClaimSchema);
      if (!claim) return false;
      if (claim.value.owner !== owner) return true;
    }
  }

  partKey(batch: number, attempt: string): string {
    return this.#attemptKey('parts', batch, attempt);
  }

  #attemptKey(folder: string, batch: number, attempt: string): string {
    return `${this.prefix}${folder}/${attemptName(batch, attempt)}.jsonl`;
  }

  /** The parts that exist of batches from `first` up to, but not including, `end`. */
  async listParts(first = 0, end = Number.POSITIVE_INFINITY): Promise<PartName[]> {
    const parts: PartName[] = [];
    const folder = `${this.prefix}parts/`;
    // Names of the batch before it that have a letter after their dot come before its own.
    const startAfter = first === 0 ? undefined : `${folder}${batchNumber(first - 1)}.~`;
    for await (const { key } of this.store.list(folder, startAfter ? { startAfter } : {})) {
      const part = this.parsePartKey(key);
      if (!part || part.batch < first) continue;
      if (part.batch >= end) break;
      parts.push(part);
    }
    return parts;
  }

  /** undefined for what is no part: what somebody else put there, or a copy. */
  parsePartKey(key: string): PartName | undefined {
    const folder = `${this.prefix}parts/`;
    if (!key.startsWith(folder)) return undefined;
    const parsed = parseAttemptName(this.run, key.slice(folder.length), '.jsonl');
    if (!parsed || key !== this.partKey(parsed.batch, parsed.attempt)) return undefined;
    return { batch: parsed.batch, attempt: parsed.attempt, key };
  }

  async readPart(part: PartName): Promise<{ rows: PartRow[]; bytes: Buffer }> {
    const { bytes } = await this.store.get(part.key);
    return { rows: parsePart(bytes, part.key), bytes };
  }

  /**
   * Writes the results of an attempt, unless it has some: the first ones stay.
   * @returns the rows that count for the attempt: these, or those that were there before. undefined
   *   where these are gone in this moment, with all parts of a chunk that is compacted.
   * @throws Error where a row is not as its readers want it; nothing is written then.
   */
  async createPart(
    batch: number,
    attempt: string,
    rows: PartRow[],
  ): Promise<PartRow[] | undefined> {
    const key = this.partKey(batch, attempt);
    try {
      const contentType = 'application/x-ndjson';
      await this.store.put(key, formatPart(rows), { contentType, ifAbsent: true });
      return rows;
    } catch (error) {
      if (!isTaken(error)) throw error;
      const part = await getIfThere(this.store, key);
      return part && parsePart(part.bytes, key);
    }
  }

  ledgerName(chunk: number, generation: number): string {
    return ledgerName(chunk, generation);
  }

  /** The latest generation of each chunk's ledger, by chunk. */
  async listLedgers(): Promise<Map<number, number>> {
    const latest = new Map<number, number>();
    for await (const { key } of this.store.list(`${this.prefix}ledger/`)) {
      const found = parseLedgerName(key.slice(this.prefix.length));
      if (found) latest.set(found.chunk, Math.max(latest.get(found.chunk) ?? 0, found.generation));
    }
    return latest;
  }

  /** The latest generation of one chunk's ledger; undefined where it has none. */
  async findLedger(chunk: number): Promise<number | undefined> {
    let latest: number | undefined;
    for await (const { key } of this.store.list(`${this.prefix}ledger/${batchNumber(chunk)}.`)) {
      const found = parseLedgerName(key.slice(this.prefix.length));
      if (found) latest = Math.max(latest ?? 0, found.generation);
    }
    return latest;
  }

  /** @throws UserError where it is not there, or not as this version writes it. */
  async readLedger(chunk: number, generation: number): Promise<Ledger> {
    const name = this.ledgerName(chunk, generation);
    const ledger = await this.#objects.readListed(name, ledgerSchema);
    if (!ledger) throw new UserError(`${this.url}${name} is gone.`);
    return ledger;
  }

  /** @returns the ledger that counts for this generation: this one, or the one that was there. */
  async createLedger(ledger: Ledger): Promise<Ledger> {
    const { chunk, generation } = ledger;
    const created = await this.#objects.create(
      this.ledgerName(chunk, generation),
      checkLedger(ledger),
    );
    return created ? ledger : this.readLedger(chunk, generation);
  }

  /** The summary, of whatever generation, and its ETag, to replace it. */
  async readSummary(): Promise<{ value: Summary; etag: string } | undefined> {
    return this.#objects.read('summary.json', summarySchema);
  }

  /** In one request; undefined also where it cannot be told whether there is one: `readIfThere`. */
  async glanceAtSummary(): Promise<Summary | undefined> {
    try {
      return await this.#objects.readListed('summary.json', summarySchema);
    } catch (error) {
      if (error instanceof StoreError && error.reason === 'access-denied') return undefined;
      throw error;
    }
  }

  /**
   * Replaces the summary, if it is as it was when it was read.
   * @param etag of what was read; undefined where there was none.
   * @returns false where somebody else wrote it meanwhile.
   */
  async writeSummary(summary: Summary, etag: string | undefined): Promise<boolean> {
    const condition = etag === undefined ? { ifAbsent: true as const } : { ifMatch: etag };
    return this.#objects.write('summary.json', checkSummary(summary), condition);
  }

  /**
   * An object of the run that other modules know the format of.
   * @throws UserError where it is not as this version writes it.
   */
  async readObject<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    return (await this.#objects.read(name, schema))?.value;
  }

  /** The same, to create it. @returns false where it is there already. */
  async createObject(name: string, value: unknown): Promise<boolean> {
    return this.#objects.create(name, value);
  }
}

/** One part: the results of one attempt at a batch. */
export interface PartName {
  batch: number;
  attempt: string;
  key: string;
}
