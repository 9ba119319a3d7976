export type { ExportedRow, RowBatches } from './columns.ts';
export { type FileFormat, fileFormats } from './formats.ts';
export { parseLink } from './link.ts';
export { selectRows } from './select-rows.ts';
export { pageEnding, writePages } from './write-pages.ts';
