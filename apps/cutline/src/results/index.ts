export { FileResults } from './file-results.ts';
export { imagesStore } from './images-store.ts';
export {
  addResultsArguments,
  type FoundRows,
  type ResultsContext,
  withResults,
  withRows,
} from './open-results.ts';
export { papersOf, papersPath } from './papers.ts';
export type { FoundRow, Overview, Results } from './results.ts';
export { reviewedRows } from './reviewed-rows.ts';
export { rowsPath } from './rows-path.ts';
export { RunResults } from './run-results.ts';
