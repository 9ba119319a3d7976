import type { Zstd } from '@hpcc-js/wasm-zstd';

/**
 * Zstandard as WebAssembly: the same bytes on every Node.js that Cutline runs on, of which the older
 * ones have none of their own.
 */
let loaded: Zstd | undefined;

/** What is loaded once is there at once. */
export async function loadZstandard(): Promise<Zstd> {
  if (!loaded) {
    const { Zstd } = await import('@hpcc-js/wasm-zstd');
    loaded = await Zstd.load();
  }
  return loaded;
}
