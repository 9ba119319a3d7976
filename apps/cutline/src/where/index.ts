export { RowFilter } from './row-filter.ts';
export { whereHelp } from './where-help.ts';
