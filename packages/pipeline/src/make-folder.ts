import { mkdir } from 'node:fs/promises';

/**
 * Makes the folder of a store that is to be written to, where the store is one. A missing parent is
 * more likely a disk that is not mounted: then there will be none, and whoever asks for it says so.
 */
export async function makeFolder(storeUrl: string): Promise<void> {
  if (storeUrl.startsWith('file:')) await mkdir(new URL(storeUrl)).catch(() => {});
}
