import { decompressorsOf } from './decompressors.ts';

/**
 * What reads and writes Parquet, loaded when it is first wanted, and there at once from then on.
 *
 * Zstandard is written by WebAssembly, and read in plain JavaScript: so bytes are the same on every
 * Node.js that Cutline runs on, of which the older ones have no Zstandard of their own.
 */
let loaded: ReturnType<typeof load> | undefined;

export function loadParquet(): ReturnType<typeof load> {
  loaded ??= load();
  return loaded;
}

async function load() {
  const [reader, decompressors, writer, { Zstd }] = await Promise.all([
    import('hyparquet'),
    decompressorsOf(new Set(['ZSTD'])),
    import('hyparquet-writer'),
    import('@hpcc-js/wasm-zstd'),
  ]);
  const zstandard = await Zstd.load();
  const compressZstandard = (bytes: Uint8Array) => zstandard.compress(bytes);
  return { reader, writer, decompressors, compressZstandard };
}
