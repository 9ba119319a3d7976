export type { ExportedRow, RowBatches } from './columns.ts';
export { csvOf } from './csv.ts';
export { type Destination, exportRows, type Origin } from './export-rows.ts';
export { fileFormats } from './formats.ts';
export { type Link, parseLink } from './link.ts';
export { selectRows } from './select-rows.ts';
export { pageEnding } from './write-pages.ts';
