import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { CompressionCodec, Compressors } from 'hyparquet';

/**
 * What decompresses pages: of Snappy hyparquet itself, of gzip and Brotli Node.js, of the others
 * hyparquet-compressors, which is loaded where a file needs it (it starts a WebAssembly module when
 * it is loaded, and that reserves gigabytes of addresses). None makes more than the bytes that a
 * page was said to have.
 */
export async function decompressorsOf(codecs: ReadonlySet<CompressionCodec>): Promise<Compressors> {
  const own: Compressors = {
    GZIP: (bytes, size) => gunzipSync(bytes, { maxOutputLength: size }),
    BROTLI: (bytes, size) => brotliDecompressSync(bytes, { maxOutputLength: size }),
  };
  if (!others.some((codec) => codecs.has(codec))) return own;
  const { decompressLz4, decompressLz4Raw, decompressZstd } = await import('hyparquet-compressors');
  return {
    ...own,
    LZ4: decompressLz4,
    LZ4_RAW: decompressLz4Raw,
    ZSTD: (bytes, size) => decompressZstd(bytes, new Uint8Array(size)),
  };
}

const others: CompressionCodec[] = ['ZSTD', 'LZ4', 'LZ4_RAW'];
