export {
  type DownloadProgress,
  fetchSnapshot,
  type Snapshot,
  type SnapshotRequest,
} from './fetch-snapshot.ts';
export type { HubPatience } from './hub.ts';
export { type HubSettings, readHubSettings } from './hub-settings.ts';
export type { Wanted } from './listing.ts';
