import { Closers, readSettings, storeConfig } from '@cutline/shared/process';
import {
  applyReview,
  glanceAtRun,
  placeRows,
  type ResultRow,
  type ResultsFilter,
  type RunStore,
  readReviews,
  readRunState,
} from '@cutline/shared/run';
import { StorePool } from '@cutline/shared/stores';
import type { Command } from 'commander';
import { addRunArguments, withRun } from '../watch/run-context.ts';
import { FileResults } from './file-results.ts';
import type { Results } from './results.ts';
import { reviewedRows } from './reviewed-rows.ts';
import { rowsPath } from './rows-path.ts';
import { RunResults, titleOfRun } from './run-results.ts';

/** Flags of the commands about results, wherever they are. */
export function addResultsArguments(command: Command): Command {
  return addRunArguments(command, 'name of the run, or a file that "caption -o" wrote');
}

export interface ResultsContext {
  results: Results;
  stores: StorePool;
  closers: Closers;
}

/** Opens them, and closes what was opened when the work is done or has failed. */
export async function withResults<T>(
  name: string,
  options: Record<string, unknown>,
  work: (context: ResultsContext) => Promise<T>,
): Promise<T> {
  if (!isFile(name)) {
    return withRun(name, options, async ({ run, ...context }) => {
      return work({ ...context, results: new RunResults(run, await readRunState(run)) });
    });
  }
  const closers = new Closers();
  try {
    const stores = new StorePool(storeConfig(readSettings(options, ['s3PathStyle'])));
    closers.add('stores', () => stores.close());
    const results = await FileResults.open(rowsPath(name), stores);
    return await work({ results, stores, closers });
  } finally {
    await closers.closeAll();
  }
}

/** Rows with what people decided, and the attempts that made them. */
export interface FoundRows {
  /** Whose they are, as people know it. */
  title: string;
  /** Where they are. */
  source: string;
  /** Columns of the list of keys that they carry. */
  carried: () => Promise<readonly string[]>;
  rows: AsyncIterable<ReviewedRow[]>;
}

interface ReviewedRow {
  row: ResultRow;
  attempt: string;
}

/** Which rows are wanted; and what of that can be told from the files of a run. */
interface Wanted {
  wants: (found: ReviewedRow) => boolean;
  ofFiles: (isReviewed: boolean) => ResultsFilter;
}

/**
 * Rows alone, from the first: of a run, at the least cost.
 * @param wanted undefined: all
 */
export async function withRows<T>(
  name: string,
  options: Record<string, unknown>,
  wanted: Wanted | undefined,
  work: (found: FoundRows) => Promise<T>,
): Promise<T> {
  if (!isFile(name)) {
    return withRun(name, options, async ({ run }) => {
      const rows = selected(rowsOfRun(run, wanted), wanted);
      const carried = async () => (await run.readRun()).selection.carry ?? [];
      return work({ title: titleOfRun(run.run), source: run.url, carried, rows });
    });
  }
  return withResults(name, options, async ({ results }) => {
    const rows = selected(reviewedRows(results, await readReviews(results.papers)), wanted);
    const { title, origin, request } = results;
    const carried = async () => request?.selection.carry ?? [];
    return work({ title, source: origin.source, carried, rows });
  });
}

async function* rowsOfRun(
  run: RunStore,
  wanted: Wanted | undefined,
): AsyncGenerator<ReviewedRow[]> {
  const reviews = await readReviews(run);
  const filter = wanted?.ofFiles(reviews.size > 0);
  for await (const { rows } of placeRows(run, await glanceAtRun(run), filter)) {
    yield rows.map(({ row, attempt }) => ({ row: applyReview(row, reviews), attempt }));
  }
}

async function* selected(
  batches: AsyncIterable<ReviewedRow[]>,
  wanted: Wanted | undefined,
): AsyncGenerator<ReviewedRow[]> {
  for await (const rows of batches) yield wanted ? rows.filter((row) => wanted.wants(row)) : rows;
}

/** Names of runs have neither dots nor slashes. */
function isFile(name: string): boolean {
  return /[./\\]/.test(name);
}
