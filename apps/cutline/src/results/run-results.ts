import { renewSidecars, withdrawSidecars } from '@cutline/pipeline';
import {
  addCounts,
  countResults,
  placeRows,
  type ResultRow,
  type Reviews,
  type RowPlace,
  RowReader,
  type Run,
  type RunState,
  type RunStore,
} from '@cutline/shared/run';
import type { FoundRow, Overview, Results } from './results.ts';

export function titleOfRun(name: string): string {
  return `Run ${name}`;
}

/** The results of a run, as far as it is. */
export class RunResults implements Results<RowPlace> {
  readonly papers: RunStore;
  readonly request: Run;
  readonly isFinished: boolean;
  readonly #state: RunState;
  readonly #rows: RowReader;

  constructor(run: RunStore, state: RunState) {
    this.papers = run;
    this.request = state.run;
    this.isFinished = state.summary !== undefined;
    this.#state = state;
    this.#rows = new RowReader(run, state);
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

  async *batches(): AsyncGenerator<FoundRow<RowPlace>[]> {
    for await (const { rows } of placeRows(this.papers, this.#state)) yield rows;
  }

  readRow(place: RowPlace): Promise<ResultRow> {
    return this.#rows.read(place);
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
}
