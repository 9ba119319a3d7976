import { placeRows, type ResultsFilter, type RunStore, readRunState } from '@cutline/shared/run';
import type { Failures } from './client/messages.ts';

const examplesOfClass = 3;
/** So many rows are read at most: the page is to answer while somebody waits. */
const rowsMax = 20_000;

/** What files say of failures; the rows of chunks in parts are all read. */
const failures: ResultsFilter = {
  columns: ['status'],
  mayKeep: (rows, rangeOf) => rangeOf('class')?.nulls !== rows,
  keeps: ({ status }) => status === 'failed',
};

/** A few of the images of a run that failed, of each class; the first that are found. */
export async function readFailures(run: RunStore): Promise<Failures> {
  const state = await readRunState(run);
  const examples: Failures['examples'] = [];
  const found = new Map<string, number>();
  let rowsRead = 0;
  for await (const { rows } of placeRows(run, state, failures)) {
    rowsRead += state.run.batchSize; // whether they failed, and were decoded, or not
    for (const { row } of rows) {
      if (row.status !== 'failed') continue;
      const { class: name, message } = row.failure;
      const nth = found.get(name) ?? 0;
      found.set(name, nth + 1);
      if (nth < examplesOfClass) examples.push({ class: name, key: row.key, message });
    }
    if (rowsRead >= rowsMax) break;
  }
  const isAll = rowsRead < rowsMax;
  return {
    examples,
    ...(!isAll && { note: `of the first ${rowsRead.toLocaleString('en-GB')} results` }),
  };
}
