import { readVarInt } from 'hyparquet/src/thrift.js';
import type { ColumnDecoder, PageHeader } from 'hyparquet/src/types.js';

/**
 * Holds the runs of a page to how many values it has: whoever decodes them believes the length that
 * a run says it has, and of some bytes makes as many values as there is memory for.
 *
 * Looked at are runs of levels and of places in a dictionary (the RLE and bit-packing hybrid of the
 * Parquet format), of columns that are not nested.
 *
 * @param page decompressed
 * @throws Error
 */
export function requireRuns(
  page: Uint8Array,
  { data_page_header: v1, data_page_header_v2: v2 }: PageHeader,
  { type, element }: ColumnDecoder,
): void {
  const view = new DataView(page.buffer as ArrayBuffer, page.byteOffset, page.byteLength);
  const { num_values: values = 0, encoding } = v1 ?? v2 ?? {};
  const isOptional = element.repetition_type === 'OPTIONAL';
  let at = 0;
  if (v2) {
    at = v2.repetition_levels_byte_length + v2.definition_levels_byte_length;
    if (isOptional) walk(view, v2.repetition_levels_byte_length, at, 1, values);
  } else if (isOptional) {
    at = 4 + view.getUint32(0, true);
    walk(view, 4, at, 1, values);
  }
  if (type === 'BOOLEAN') {
    if (encoding === 'RLE') walk(view, at + 4, view.byteLength, 1, values);
    else if (encoding !== 'PLAIN') throw new Error(`booleans are encoded as ${encoding}`);
  } else if (encoding?.endsWith('_DICTIONARY') && at < view.byteLength) {
    const bitWidth = view.getUint8(at);
    if (bitWidth > 0) walk(view, at + 1, view.byteLength, bitWidth, values);
  }
}

/** From `start` to `end`, as far as there are values left. */
function walk(
  view: DataView<ArrayBuffer>,
  start: number,
  end: number,
  bitWidth: number,
  values: number,
): void {
  if (end > view.byteLength) throw new Error('the levels of a page are not within it');
  const reader = { view, offset: start };
  for (let seen = 0; seen < values && reader.offset < end; ) {
    const run = readVarInt(reader);
    const isPacked = (run & 1) === 1;
    const count = isPacked ? (run >>> 1) * 8 : run >>> 1;
    if (count - (isPacked ? packedSlackMax : 0) > values - seen) {
      throw new Error(`a page has a run of ${count}, and ${values} values`);
    }
    seen += count;
    reader.offset += isPacked ? (run >>> 1) * bitWidth : (bitWidth + 7) >> 3;
  }
}

/** What is packed comes in eights, and some writers fill up their last run to 64 of them. */
const packedSlackMax = 512;
