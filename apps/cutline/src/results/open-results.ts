import { Closers, readSettings, storeConfig } from '@cutline/shared/process';
import {
  glanceAtRun,
  type ResultRow,
  type Reviews,
  readReviewedResults,
  readReviews,
  readRunState,
} from '@cutline/shared/run';
import { StorePool } from '@cutline/shared/stores';
import type { Command } from 'commander';
import { addRunArguments, withRun } from '../run-context.ts';
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

/**
 * Rows alone, with what people decided, from the first: of a run, at the least cost.
 * @param work is told whose they are, as people know it
 */
export async function withRows<T>(
  name: string,
  options: Record<string, unknown>,
  work: (title: string, rows: AsyncIterable<ResultRow[]>) => Promise<T>,
): Promise<T> {
  if (!isFile(name)) {
    return withRun(name, options, async ({ run }) =>
      work(titleOfRun(run.run), readReviewedResults(run, await glanceAtRun(run))),
    );
  }
  return withResults(name, options, async ({ results }) =>
    work(results.title, rowsOf(results, await readReviews(results.papers))),
  );
}

async function* rowsOf(results: Results, reviews: Reviews): AsyncGenerator<ResultRow[]> {
  for await (const found of reviewedRows(results, reviews)) yield found.map(({ row }) => row);
}

/** Names of runs have neither dots nor slashes. */
function isFile(name: string): boolean {
  return /[./\\]/.test(name);
}
