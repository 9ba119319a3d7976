import { Closers, readSettings, storeConfig } from '@cutline/shared/process';
import { readRunState } from '@cutline/shared/run';
import { StorePool } from '@cutline/shared/stores';
import type { Command } from 'commander';
import { addRunArguments, withRun } from '../run-context.ts';
import { FileResults } from './file-results.ts';
import type { Results } from './results.ts';
import { rowsPath } from './rows-path.ts';
import { RunResults } from './run-results.ts';

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

/** Names of runs have neither dots nor slashes. */
function isFile(name: string): boolean {
  return /[./\\]/.test(name);
}
