import type { Renewal, Withdrawal } from '@cutline/pipeline';
import type {
  ResultRow,
  Reviews,
  Run,
  RunStore,
  SidecarKind,
  SidecarRules,
} from '@cutline/shared/run';
import type { StorePool } from '@cutline/shared/stores';

/**
 * Rows, and what belongs to them: of a run in an output store, or of a file that `cutline caption`
 * wrote. Whatever shows, judges or exports rows takes these, and does not know which it has.
 */
export interface Results<Place = unknown> {
  /** Of the run, or of the file. */
  readonly name: string;
  /** As people are told of it: `Run 1920s`, `captions.jsonl`. */
  readonly title: string;
  /** Where decisions, draws and records of sidecars are, beside the rows. */
  readonly papers: RunStore;
  /** What was asked for; undefined of a file that came without it. */
  readonly request: Run | undefined;
  /** Whether every image has its row. */
  readonly isFinished: boolean;
  /** What exports say of themselves: where the rows are, and since when (ISO 8601, UTC). */
  readonly origin: Record<string, string> & { source: string; created: string };
  /** Whether nobody writes to them any more, nor beside images. */
  readonly isAtRest: boolean;
  /** When the last row was written, if it was: ISO 8601, UTC. */
  readonly finished: string | undefined;
  /** The command that tries failed images again. */
  readonly tryAgain: string;
  /** The rows that count, as the model left them, in their order. */
  batches(): AsyncIterable<FoundRow<Place>[]>;
  /** @throws UserError, StoreError where it is not there any more */
  readRow(place: Place): Promise<ResultRow>;
  /** What they are in all. */
  overview(): Promise<Overview>;
  /** Brings the files beside images into line with what people decided. @throws UserError */
  renewSidecars(
    reviews: Reviews,
    what: { kinds: readonly SidecarKind[]; rules: SidecarRules },
    stores: StorePool,
  ): Promise<Renewal>;
  /** Takes away what was written beside images. @throws UserError */
  withdrawSidecars(stores: StorePool): Promise<Withdrawal>;
}

export interface FoundRow<Place = unknown> {
  row: ResultRow;
  /** That made it: see `attempt.ts` of the formats. */
  attempt: string;
  place: Place;
}

/** Images by what the model made of them; those without a row are in none of the last three. */
export interface Overview {
  /** Id of the model. */
  model: string;
  images: number;
  captioned: number;
  skipped: number;
  failed: number;
}
