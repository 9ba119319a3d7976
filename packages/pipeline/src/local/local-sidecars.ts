import {
  type PartRow,
  type ResultRow,
  type RunStore,
  type SidecarKind,
  type SidecarRules,
  sidecarRulesDefault,
} from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import pLimit from 'p-limit';
import {
  countOutcomes,
  isWanted,
  noRenewal,
  type Renewal,
  renewRows,
} from '../sidecars/renew-sidecars.ts';
import { readWholeBook, type WholeBook } from '../sidecars/sidecar-book.ts';
import type { SidecarRow } from '../sidecars/sidecar-row.ts';
import {
  bringAbout,
  noteSidecars,
  type SidecarPlace,
  sidecarsOf,
  wantsSidecars,
} from '../sidecars/write-sidecars.ts';

export interface LocalSidecarsOptions {
  /** Of the rows: its papers have the records. */
  run: RunStore;
  /** That has the images, beside which the files are. */
  store: ObjectStore;
  /** None: only what there is already is known. */
  kinds: readonly SidecarKind[];
  rules?: SidecarRules | undefined;
}

/** Files beside images of one process, by the rules of the pipeline. */
export class LocalSidecars {
  readonly #place: SidecarPlace & { book: WholeBook };
  readonly #kinds: readonly SidecarKind[];

  private constructor(place: SidecarPlace & { book: WholeBook }, kinds: readonly SidecarKind[]) {
    this.#place = place;
    this.#kinds = kinds;
  }

  static async open(options: LocalSidecarsOptions): Promise<LocalSidecars> {
    const { run, store, kinds, rules = sidecarRulesDefault } = options;
    const place = { store, run: run.run, book: await readWholeBook(run), rules };
    return new LocalSidecars(place, kinds);
  }

  /** Whether there is, or was, a file of this run's, or something that it added to one. */
  wrote(key: string): boolean {
    return this.#place.book.has(key);
  }

  /**
   * Of what was captioned just now.
   * @param renewal what becomes of the files is added to it
   * @returns the rows, with what became of their sidecars
   */
  async write(rows: readonly PartRow[], renewal = noRenewal()): Promise<PartRow[]> {
    const { rules } = this.#place;
    const wanted = rows.filter((row): row is SidecarRow & PartRow => wantsSidecars(row, rules));
    const sidecars = wanted.flatMap((row) => sidecarsOf(row, '', this.#kinds));
    const { outcomes } = await bringAbout(this.#place, sidecars);
    countOutcomes(outcomes.values(), renewal);
    return rows.map((row) => noteSidecars(row, outcomes));
  }

  /**
   * Of rows that were there before, with what people decided: they may have none yet, or others.
   * Beside an image that is not there any more nothing is written: it was moved, or thrown away.
   * @param renewal what becomes of the files is added to it
   */
  async renew(
    batches: AsyncIterable<readonly ResultRow[]>,
    renewal = noRenewal(),
  ): Promise<Renewal> {
    for await (const rows of batches) {
      const renewed = await this.#withoutGone(rows);
      await renewRows(this.#place, renewed, { prefix: '', kinds: this.#kinds }, renewal);
    }
    return renewal;
  }

  async #withoutGone(rows: readonly ResultRow[]): Promise<ResultRow[]> {
    if (this.#kinds.length === 0) return [];
    const { store, rules } = this.#place;
    const limit = pLimit(looksAtOnce);
    const stays = (row: ResultRow) => !isWanted(row, rules) || isThere(store, row.key);
    const stay = await Promise.all(rows.map((row) => limit(stays, row)));
    return rows.filter((_, n) => stay[n]);
  }
}

/** Requests at a time. */
const looksAtOnce = 16;

/** @returns true also where it may not be looked at */
async function isThere(store: ObjectStore, key: string): Promise<boolean> {
  try {
    return (await store.head(key)) !== undefined;
  } catch (error) {
    if (error instanceof StoreError && error.reason === 'access-denied') return true;
    throw error;
  }
}
