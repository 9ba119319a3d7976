/**
 * Safetensors files (https://github.com/huggingface/safetensors#format), of float32, float16 and int8:
 * eight bytes of header length, a JSON header `{name: {dtype, shape, data_offsets}}`, then the
 * data. Float16 is how numbers are stored, to halve the file, and int8 how codes are (int8.ts); they
 * are float32 once they are read.
 * Nothing in such a file is executed, and every offset is checked before it is used.
 */
import { z } from 'zod';
import { fromFloat16, toFloat16 } from './float16.ts';
import { elementCount, type WeightArray, type WeightArrays, type WeightType } from './weights.ts';

const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});

/** By the names that the format has for them. */
const bytesOfNumber = new Map([
  ['F32', 4],
  ['F16', 2],
  ['I8', 1],
]);

const headerBytesMax = 16 * 1024 * 1024;

/**
 * Reads all tensors; float16 becomes float32, exactly. Data is shared with `bytes` where type and
 * alignment allow, so leave those as they are.
 *
 * @throws Error that starts with `name` and says what is wrong with the file.
 */
export function parseSafetensors(bytes: Uint8Array, name: string): Map<string, WeightArray> {
  const { header, dataStart } = parseHeader(bytes, name);
  const tensors = new Map<string, WeightArray>();
  for (const [tensor, value] of Object.entries(header)) {
    if (tensor === '__metadata__') continue;
    const entry = entrySchema.safeParse(value);
    if (!entry.success) throw new Error(`${name}: the header's entry for '${tensor}' is malformed`);
    const { dtype, shape, data_offsets } = entry.data;
    const [begin, end] = data_offsets;
    const numberBytes = bytesOfNumber.get(dtype);
    if (!numberBytes) {
      throw new Error(`${name}: '${tensor}' should be of dtype F32, F16 or I8, and is of ${dtype}`);
    }
    const expectedBytes = numberBytes * elementCount(shape);
    if (end - begin !== expectedBytes || dataStart + end > bytes.length) {
      throw new Error(
        `${name}: '${tensor}' of shape [${shape}] takes ${expectedBytes} bytes, but the file ` +
          `says ${begin} to ${end} of ${bytes.length - dataStart} (is it truncated?)`,
      );
    }
    const data = bytes.subarray(dataStart + begin, dataStart + end);
    tensors.set(tensor, { shape, ...numbersOf(data, dtype) });
  }
  return tensors;
}

/**
 * Deterministic: tensors are written in the order of their names. In float16 each number is rounded
 * to the nearest, and one beyond 65,504 becomes infinite.
 */
export function formatSafetensors(
  tensors: WeightArrays,
  weightType: WeightType = 'float32',
): Uint8Array {
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  const stored = sorted.map(([, { data, codes }]) => {
    if (codes) return Int8Array.from(data);
    return weightType === 'float16' ? toFloat16(data) : data;
  });
  const header: Record<string, unknown> = {};
  let dataBytes = 0;
  for (const [index, [name, { shape, codes }]] of sorted.entries()) {
    const dtype = codes ? 'I8' : weightType === 'float16' ? 'F16' : 'F32';
    const end = dataBytes + (stored[index]?.byteLength ?? 0);
    header[name] = { dtype, shape, data_offsets: [dataBytes, end] };
    dataBytes = end;
  }
  const json = JSON.stringify(header);
  // Spaces after the header align the data to 8 bytes, so that readers need not copy it.
  const headerBytes = Buffer.from(json.padEnd(json.length + ((8 - (json.length % 8)) % 8)));
  const bytes = new Uint8Array(8 + headerBytes.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes.length), true);
  bytes.set(headerBytes, 8);
  let offset = 8 + headerBytes.length;
  for (const data of stored) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return bytes;
}

function parseHeader(bytes: Uint8Array, name: string) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = bytes.length < 8 ? 0 : Number(view.getBigUint64(0, true));
  if (headerBytes < 2 || headerBytes > Math.min(headerBytesMax, bytes.length - 8)) {
    throw new Error(`${name}: not a safetensors file, or a truncated one (${bytes.length} bytes)`);
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(
      bytes.subarray(8, 8 + headerBytes),
    );
    const header = z.record(z.string(), z.unknown()).parse(JSON.parse(text));
    return { header, dataStart: 8 + headerBytes };
  } catch (cause) {
    throw new Error(`${name}: not a safetensors file: its header is not a JSON object`, { cause });
  }
}

function numbersOf(bytes: Uint8Array, dtype: string): Pick<WeightArray, 'data' | 'codes'> {
  if (dtype === 'F16') return { data: widen(bytes) };
  if (dtype === 'F32') return { data: floatsOf(bytes) };
  return { data: Float32Array.from(new Int8Array(copyOf(bytes))), codes: 'int8' };
}

function floatsOf(bytes: Uint8Array): Float32Array {
  if (bytes.byteOffset % 4 === 0) {
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }
  return new Float32Array(copyOf(bytes));
}

function widen(bytes: Uint8Array): Float32Array {
  return fromFloat16(new Uint16Array(copyOf(bytes)));
}

/** Aligned. Not `bytes.slice`: that of a Buffer is another view of the same memory. */
function copyOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
