/**
 * A safetensors file (https://github.com/huggingface/safetensors#format): eight bytes of header
 * length, a JSON header `{name: {dtype, shape, data_offsets}}`, then the data, without gaps. Only
 * the header is read when it is opened.
 */
import { UserError } from '@cutline/shared/errors';
import { z } from 'zod';
import { quote } from '../files/quote.ts';
import { RangeFile } from '../files/range-file.ts';
import type { TensorInfo, TensorSource } from './checkpoint.ts';
import { type NumberType, numberTypes, uninterpreted } from './number-type.ts';
import { readNumbers } from './read-numbers.ts';

/** By the names that the format has for them. */
const typesByName = new Map<string, NumberType>([
  ['F64', numberTypes.float64],
  ['F32', numberTypes.float32],
  ['F16', numberTypes.float16],
  ['BF16', numberTypes.bfloat16],
  ['I64', numberTypes.int64],
  ['I32', numberTypes.int32],
  ['I16', numberTypes.int16],
  ['I8', numberTypes.int8],
  ['U8', numberTypes.uint8],
  ['BOOL', numberTypes.bool],
  ['U16', uninterpreted('uint16', 2)],
  ['U32', uninterpreted('uint32', 4)],
  ['U64', uninterpreted('uint64', 8)],
  ['F8_E4M3', uninterpreted('float8_e4m3', 1)],
  ['F8_E5M2', uninterpreted('float8_e5m2', 1)],
  ['C64', uninterpreted('complex64', 8)],
]);

/** Some 100,000 tensors; published checkpoints have hundreds. */
const headerBytesMax = 16 * 1024 * 1024;
const dimensionsMax = 32;

const size = z.int().min(0);
const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(size).max(dimensionsMax),
  data_offsets: z.tuple([size, size]),
});

interface Entry extends TensorInfo {
  numberType: NumberType;
  count: number;
  /** From the beginning of the file. */
  begin: number;
  end: number;
}

/** @throws UserError when the file cannot be read, or its header is not right in every detail. */
export async function openSafetensors(path: string): Promise<TensorSource> {
  const file = await RangeFile.open(path);
  try {
    const entries = await readEntries(file);
    return {
      tensors: entries,
      async read(name) {
        const entry = entries.get(name);
        if (!entry) throw new UserError(`${path} has no tensor ${quote(name)}.`);
        const { shape, numberType, begin, count } = entry;
        return { shape, data: await readNumbers(file, quote(name), numberType, begin, count) };
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readEntries(file: RangeFile): Promise<Map<string, Entry>> {
  const { header, dataStart } = await readHeader(file);
  const entries = new Map<string, Entry>();
  for (const [name, value] of Object.entries(header)) {
    if (name !== '__metadata__') entries.set(name, parseEntry(file, name, value, dataStart));
  }
  checkCoverage(file, entries, dataStart);
  return entries;
}

async function readHeader(file: RangeFile) {
  const lengthBytes = file.bytes < 8 ? undefined : await file.read(0, 8);
  const headerBytes = lengthBytes
    ? Number(new DataView(lengthBytes.buffer).getBigUint64(0, true))
    : 0;
  if (headerBytes < 2 || headerBytes > file.bytes - 8) {
    throw new UserError(
      `${file.path} is not a safetensors file, or a truncated one (${file.bytes} bytes): ` +
        'fetch it again.',
    );
  }
  if (headerBytes > headerBytesMax) {
    throw new UserError(
      `${file.path}: its header has ${headerBytes} bytes, and may have ${headerBytesMax} at most.`,
    );
  }
  const bytes = await file.read(8, headerBytes);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const header: unknown = JSON.parse(text);
    if (typeof header !== 'object' || header === null || Array.isArray(header)) {
      throw new Error('no object');
    }
    return { header, dataStart: 8 + headerBytes };
  } catch (cause) {
    throw new UserError(
      `${file.path} is not a safetensors file: its header is not a JSON object.`,
      { cause },
    );
  }
}

function parseEntry(file: RangeFile, name: string, value: unknown, dataStart: number): Entry {
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) {
    throw new UserError(`${file.path}: the header's entry for ${quote(name)} is malformed.`);
  }
  const { dtype, shape, data_offsets } = parsed.data;
  const [begin, end] = data_offsets;
  const numberType = typesByName.get(dtype);
  if (!numberType) {
    throw new UserError(
      `${file.path}: ${quote(name)} is of dtype ${quote(dtype)}, not known here.`,
    );
  }
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  const expectedBytes = count * numberType.bytes;
  if (end - begin !== expectedBytes || dataStart + end > file.bytes) {
    throw new UserError(
      `${file.path}: ${quote(name)} of shape [${shape}] takes ${expectedBytes} bytes, but the ` +
        `file says ${begin} to ${end} of ${file.bytes - dataStart}: it is truncated or damaged.`,
    );
  }
  return {
    shape,
    type: numberType.name,
    bytes: count * 4,
    numberType,
    count,
    begin: dataStart + begin,
    end: dataStart + end,
  };
}

/** Every byte of the data belongs to one tensor, as the format demands. */
function checkCoverage(file: RangeFile, entries: Map<string, Entry>, dataStart: number): void {
  const inOrder = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let covered = dataStart;
  for (const [name, { begin, end }] of inOrder) {
    if (begin !== covered) {
      const what = begin < covered ? 'overlaps another tensor' : 'leaves a gap before it';
      throw new UserError(`${file.path}: ${quote(name)} ${what}: the file is damaged.`);
    }
    covered = end;
  }
  if (covered !== file.bytes) {
    throw new UserError(
      `${file.path}: ${file.bytes - covered} bytes at its end belong to no tensor: it is damaged.`,
    );
  }
}
