import { parquetHeader, readPage } from 'hyparquet/src/column.js';
import { convert } from 'hyparquet/src/convert.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import type { ColumnDecoder, DecodedArray, PageHeader } from 'hyparquet/src/types.js';
import type { ListFile } from '../list-file.ts';
import { requireRuns } from './require-runs.ts';

/**
 * The values of a column in a row group, a page at a time: hyparquet decodes pages, and reads whole
 * column chunks, which in a file of one large row group would be all of it. What a page says of
 * itself is held to bounds before anything is made of it: sizes in a file may lie.
 */
export interface ColumnChunk {
  decoder: ColumnDecoder;
  /** Its first byte in the file, and the one after its last. */
  start: number;
  end: number;
  /** Of the row group: no page has more. */
  rows: number;
}

/** @throws Error where it is damaged, or a page is larger than any that is written */
export async function* columnPages(
  file: ListFile,
  { decoder, start, end, rows }: ColumnChunk,
): AsyncGenerator<DecodedArray> {
  const window = new Window(file, end);
  let dictionary: DecodedArray | undefined;
  for (let at = start; at < end; ) {
    const head = await window.bytes(at, Math.min(headerBytesMax, end - at));
    const reader = { view: viewOf(head), offset: 0 };
    const header = parquetHeader(reader);
    requireSizes(header, rows, end - at - reader.offset);
    const bytes = await window.bytes(at + reader.offset, header.compressed_page_size);
    at += reader.offset + header.compressed_page_size;
    if (header.type === 'INDEX_PAGE') continue;
    const isDictionary = header.type === 'DICTIONARY_PAGE';
    const page = inflate(bytes, header, decoder);
    if (!isDictionary) requireRuns(page.bytes, page.header, decoder);
    const plain: ColumnDecoder = { ...decoder, codec: 'UNCOMPRESSED' };
    const pageReader = { view: viewOf(page.bytes), offset: 0 };
    const { data } = readPage(pageReader, page.header, plain, dictionary, undefined, 0);
    if (!data) continue;
    if (isDictionary) dictionary = convert(data, decoder);
    else yield data;
  }
}

/** Statistics in a header have the longest and the shortest value whole. */
const headerBytesMax = 64 * 1024;
/** Writers make pages of a megabyte; some, of a whole row group. */
const pageBytesMax = 64 * 1024 * 1024;
const pageValuesMax = 4_000_000;

function requireSizes(header: PageHeader, rows: number, left: number): void {
  const { type, compressed_page_size: stored, uncompressed_page_size: plain } = header;
  const data = header.data_page_header ?? header.data_page_header_v2;
  const isDictionary = type === 'DICTIONARY_PAGE';
  const values = isDictionary ? header.dictionary_page_header?.num_values : data?.num_values;
  if (!isWithin(stored, left))
    throw new Error(`a page of ${stored} bytes is not within its column`);
  if (!isWithin(plain, pageBytesMax)) throw new Error(`a page has ${plain} bytes`);
  if (type === 'INDEX_PAGE') return;
  if (!isWithin(values, Math.min(pageValuesMax, isDictionary ? pageValuesMax : rows))) {
    throw new Error(`a page has ${values} values, in a row group of ${rows} rows`);
  }
  const levels = header.data_page_header_v2;
  if (!levels) return;
  const { definition_levels_byte_length: definitions, repetition_levels_byte_length: repetitions } =
    levels;
  if (!isWithin(definitions, stored) || !isWithin(repetitions, stored - definitions)) {
    throw new Error('the levels of a page are not within it');
  }
  if (!isWithin(levels.num_nulls, levels.num_values)) throw new Error('a page has too many nulls');
}

function isWithin(value: number | undefined, max: number): boolean {
  return value !== undefined && Number.isInteger(value) && value >= 0 && value <= max;
}

/** The page, with a header that says that it is not compressed. */
function inflate(
  bytes: Uint8Array,
  header: PageHeader,
  { codec, compressors }: ColumnDecoder,
): { bytes: Uint8Array; header: PageHeader } {
  const v2 = header.data_page_header_v2;
  if (codec === 'UNCOMPRESSED' || v2?.is_compressed === false) return { bytes, header };
  const levels = v2 ? v2.definition_levels_byte_length + v2.repetition_levels_byte_length : 0;
  const size = header.uncompressed_page_size - levels;
  if (size < 0) throw new Error('a page is smaller than its levels');
  const values =
    size === 0
      ? new Uint8Array()
      : decompressPage(bytes.subarray(levels), size, codec, compressors);
  const whole = levels === 0 ? values : Buffer.concat([bytes.subarray(0, levels), values]);
  const plain = { ...header, compressed_page_size: whole.length };
  return {
    bytes: whole,
    header: v2 ? { ...plain, data_page_header_v2: { ...v2, is_compressed: false } } : plain,
  };
}

function viewOf(bytes: Uint8Array): DataView<ArrayBuffer> {
  return new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads ahead: pages follow one another. */
class Window {
  readonly #file: ListFile;
  readonly #end: number;
  #start = 0;
  #bytes = new Uint8Array();

  constructor(file: ListFile, end: number) {
    this.#file = file;
    this.#end = end;
  }

  async bytes(start: number, count: number): Promise<Uint8Array> {
    const from = start - this.#start;
    if (from < 0 || from + count > this.#bytes.length) {
      const end = Math.min(this.#end, start + Math.max(count, windowBytes));
      this.#bytes = await this.#file.read(start, end);
      this.#start = start;
    }
    const at = start - this.#start;
    return this.#bytes.subarray(at, at + count);
  }
}

const windowBytes = 2 * 1024 * 1024;
