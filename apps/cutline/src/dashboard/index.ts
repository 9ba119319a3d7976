export { OverviewReader } from './overview-reader.ts';
export { serveDashboard } from './serve-dashboard.ts';
