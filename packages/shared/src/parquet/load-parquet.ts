import { loadZstandard } from './zstandard.ts';

/** Loads what reads and writes Parquet: whoever did so once waits for nothing when it is wanted. */
export async function loadParquet(): Promise<void> {
  await Promise.all([loadZstandard(), import('hyparquet'), import('hyparquet-writer')]);
}
