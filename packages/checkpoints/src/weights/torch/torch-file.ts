/**
 * `pytorch_model.bin`, as torch.save writes it since PyTorch 1.6: a zip archive without compression,
 * with a pickle that describes the tensors (`data.pkl`) and an entry of numbers for each storage
 * (`data/0`, `data/1`, …). Opening it reads the directory and the pickle.
 */
import { crc32 } from 'node:zlib';
import { UserError } from '@cutline/shared/errors';
import { quote } from '../../files/quote.ts';
import { RangeFile } from '../../files/range-file.ts';
import type { Tensor, TensorInfo, TensorSource } from '../checkpoint.ts';
import { gatherNumbers, readNumbers, spanOf } from '../read-numbers.ts';
import { readPickle } from './pickle-machine.ts';
import { PickleDict, PickleRefusal, type PickleValue, type TensorView } from './pickle-values.ts';
import { readZipDirectory, refuse, type ZipEntry } from './zip-directory.ts';

/** It has some 300 bytes a tensor. */
const pickleBytesMax = 16 * 1024 * 1024;

interface Entry extends TensorInfo {
  view: TensorView;
  record: ZipEntry;
}

/**
 * @throws UserError when the file cannot be read, is of another format, describes anything besides
 *   tensors, or claims to hold more than it does.
 */
export async function openTorchFile(path: string): Promise<TensorSource> {
  const file = await RangeFile.open(path);
  try {
    await checkFormat(file);
    const tensors = await readEntries(file);
    return {
      tensors,
      async read(name) {
        const entry = tensors.get(name);
        if (!entry) throw new UserError(`${path} has no tensor ${quote(name)}.`);
        return readTensor(file, name, entry);
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function checkFormat(file: RangeFile): Promise<void> {
  const first = Buffer.from(await file.read(0, Math.min(file.bytes, 4))).toString('hex');
  if (first === '504b0304') return;
  const isLegacy = /^800[2-5]/.test(first); // a pickle's beginning, of protocol 2 to 5
  throw new UserError(
    isLegacy
      ? `${file.path} is in the format that PyTorch wrote before 1.6, which is not read: look for ` +
          'model.safetensors, or load it with PyTorch and torch.save it again.'
      : `${file.path} is not a file of torch.save, or it is damaged: fetch it again.`,
  );
}

async function readEntries(file: RangeFile): Promise<Map<string, Entry>> {
  const archive = await readZipDirectory(file);
  const root = rootOf(file, archive);
  if (archive.has(`${root}/constants.pkl`)) {
    throw new UserError(
      `${file.path} is a program (TorchScript), and not weights alone: look for model.safetensors.`,
    );
  }
  for (const { name, isCompressed } of archive.values()) {
    if (isCompressed) refuse(file, `has the compressed entry ${quote(name)}`);
  }
  const byteOrder = await contentsOf(file, archive.get(`${root}/byteorder`), 16);
  if (byteOrder.length > 0 && Buffer.from(byteOrder).toString('latin1') !== 'little') {
    throw new UserError(`${file.path} was written on a big-endian machine, which is not read.`);
  }
  const pickle = await contentsOf(file, archive.get(`${root}/data.pkl`), pickleBytesMax);
  const entries = new Map<string, Entry>();
  for (const [name, view] of tensorsOf(file, describe(file, pickle))) {
    const { key, numberType, count } = view.storage;
    const record = archive.get(`${root}/data/${key}`);
    if (record?.bytes !== count * numberType.bytes) {
      throw new UserError(
        `${file.path}: the storage of ${quote(name)} should have ${count * numberType.bytes} ` +
          `bytes, and ${record ? `has ${record.bytes}` : 'is missing'}: the file is damaged.`,
      );
    }
    const numbers = view.shape.reduce((product, size) => product * size, 1);
    const { shape } = view;
    entries.set(name, { shape, type: numberType.name, bytes: numbers * 4, view, record });
  }
  return entries;
}

/** All entries lie in one folder, which is named after what the file was called when it was saved. */
function rootOf(file: RangeFile, archive: ReadonlyMap<string, ZipEntry>): string {
  const roots = [...archive.keys()].flatMap((name) => /^([^/]+)\/data\.pkl$/.exec(name)?.[1] ?? []);
  if (roots.length === 1) return roots[0] as string;
  throw new UserError(`${file.path} is a zip archive, and not one of torch.save.`);
}

/** Small ones only, and checked. */
async function contentsOf(
  file: RangeFile,
  entry: ZipEntry | undefined,
  bytesMax: number,
): Promise<Uint8Array> {
  if (!entry) return new Uint8Array(0);
  if (entry.bytes > bytesMax) {
    throw new UserError(
      `${file.path}: ${quote(entry.name)} has ${entry.bytes} bytes; ${bytesMax} are read at most.`,
    );
  }
  const bytes = await file.read(entry.offset, entry.bytes);
  checkSum(file, entry, crc32(bytes));
  return bytes;
}

function describe(file: RangeFile, pickle: Uint8Array): PickleValue {
  try {
    return readPickle(pickle);
  } catch (cause) {
    if (!(cause instanceof PickleRefusal)) throw cause;
    throw new UserError(
      `${file.path} is refused: its data.pkl ${cause.message}. Nothing in it was run; only tensors are read.`,
      { cause },
    );
  }
}

/** What else the dictionary may have (an epoch, a learning rate) is left out. */
function tensorsOf(file: RangeFile, value: PickleValue): [string, TensorView][] {
  const all = value instanceof PickleDict ? [...value.entries] : [];
  const tensors = all.filter(
    (entry): entry is [string, TensorView] => typeof entry[0] === 'string' && isTensor(entry[1]),
  );
  if (tensors.length > 0) return tensors;
  const names = all.slice(0, 5).map(([name]) => quote(String(name)));
  throw new UserError(
    `${file.path} holds no tensors by name, as a state_dict() does` +
      `${names.length > 0 ? `, but ${names.join(', ')}` : ''}.`,
  );
}

function isTensor(value: PickleValue): value is TensorView {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'tensor';
}

async function readTensor(file: RangeFile, name: string, entry: Entry): Promise<Tensor> {
  const { record, view } = entry;
  const { storage, shape, strides } = view;
  const { numberType } = storage;
  const offset = record.offset + view.offset * numberType.bytes;
  if (!isContiguous(shape, strides)) {
    const data = await gatherNumbers(file, quote(name), numberType, offset, shape, strides);
    return { shape, data };
  }
  const count = entry.bytes / 4;
  let sum = 0;
  const data = await readNumbers(file, quote(name), numberType, offset, count, (bytes) => {
    sum = crc32(bytes, sum);
  });
  // Of a part of a storage there is no checksum.
  if (count === storage.count) checkSum(file, record, sum);
  return { shape, data };
}

/** Row-major without gaps. Strides of dimensions of size 1 say nothing. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true;
  let expected = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] !== 1 && strides[d] !== expected) return false;
    expected *= shape[d] as number;
  }
  return spanOf(shape, strides) === expected;
}

function checkSum(file: RangeFile, entry: ZipEntry, sum: number): void {
  if (sum === entry.crc32) return;
  throw new UserError(
    `${file.path}: ${quote(entry.name)} does not match its checksum: the file is damaged. Fetch it again.`,
  );
}
