import { renewSidecars, withdrawSidecars } from '@cutline/pipeline';
import {
  addCounts,
  countResults,
  type PartName,
  type PartRow,
  placeRows,
  type ResultRow,
  type Reviews,
  type Run,
  type RunState,
  type RunStore,
} from '@cutline/shared/run';
import type { FoundRow, Overview, Results } from './results.ts';

/** A line of a part. */
interface Place {
  part: PartName;
  line: number;
}

/** Parts that are kept in memory: reviewers go through lists, and back. */
const partsMax = 64;

export function titleOfRun(name: string): string {
  return `Run ${name}`;
}

/** The results of a run, as far as it is. */
export class RunResults implements Results<Place> {
  readonly papers: RunStore;
  readonly request: Run;
  readonly isFinished: boolean;
  readonly #state: RunState;
  /** By key, the one that was used last at the end. */
  readonly #parts = new Map<string, Promise<PartRow[]>>();

  constructor(run: RunStore, state: RunState) {
    this.papers = run;
    this.request = state.run;
    this.isFinished = state.summary !== undefined;
    this.#state = state;
  }

  get name(): string {
    return this.papers.run;
  }

  get title(): string {
    return titleOfRun(this.name);
  }

  get origin() {
    return { run: this.name, source: this.papers.url, created: this.request.created };
  }

  get tryAgain(): string {
    return `cutline retry ${this.name}`;
  }

  get finished(): string | undefined {
    return this.#state.summary?.finished;
  }

  async *batches(): AsyncGenerator<FoundRow<Place>[]> {
    for await (const placed of placeRows(this.papers, this.#state)) {
      yield placed.map(({ row, part }) => {
        const place = { part: part.name, line: part.rows.indexOf(row) };
        return { row, attempt: part.attempt, place };
      });
    }
  }

  async readRow({ part, line }: Place): Promise<ResultRow> {
    const { key } = part;
    const rows = this.#parts.get(key) ?? this.#readPart(part);
    this.#parts.delete(key);
    this.#parts.set(key, rows);
    if (this.#parts.size > partsMax) this.#parts.delete(this.#parts.keys().next().value as string);
    const row = (await rows)[line];
    if (!row) throw new Error(`${key} has no line ${line + 1} any more`);
    return row;
  }

  async overview(): Promise<Overview> {
    const { summary, manifest } = this.#state;
    const { model } = this.request;
    if (summary) return { ...summary, model };
    const counts = addCounts(await countResults(this.papers, this.#state));
    return { ...counts, images: manifest.images ?? counts.images, model };
  }

  get isAtRest(): boolean {
    return this.isFinished || this.#state.isCancelled;
  }

  renewSidecars(reviews: Reviews, what: Parameters<Results['renewSidecars']>[1]) {
    const { papers: run } = this;
    const prefix = run.prefix.slice(0, -`runs/${this.name}/`.length);
    return renewSidecars({ run, state: this.#state, reviews }, { prefix, ...what });
  }

  withdrawSidecars() {
    return withdrawSidecars(this.papers);
  }

  async #readPart(part: PartName): Promise<PartRow[]> {
    try {
      return (await this.papers.readPart(part)).rows;
    } catch (error) {
      this.#parts.delete(part.key); // so that it is tried again
      throw error;
    }
  }
}
