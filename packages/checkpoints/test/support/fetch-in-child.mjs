// @ts-check
/**
 * Fetches `org/model` in a process of its own, which a test may kill.
 *
 *     node fetch-in-child.mjs <endpoint> <cache folder>
 *
 * Writes a line for every piece that arrives, and the snapshot's folder at the end.
 */
import { fetchSnapshot } from '@cutline/checkpoints/hub';

const [endpoint = '', cacheFolder = ''] = process.argv.slice(2);
const { folder } = await fetchSnapshot({
  repo: 'org/model',
  wanted: () => true,
  settings: { endpoint, cacheFolder, isOffline: false },
  onProgress: ({ bytes }) => console.log(bytes),
});
console.log(folder);
