/**
 * The directory of a zip archive (APPNOTE 6.3, zip64 included): where in the file the bytes of each
 * entry lie; they are not uncompressed, since torch.save does not compress. Archives whose directory
 * and contents could be read in two ways are refused, whatever other readers make of them.
 */
import { UserError } from '@cutline/shared/errors';
import { quote } from '../../files/quote.ts';
import type { RangeFile } from '../../files/range-file.ts';
import { findDirectory } from './zip-end.ts';

export interface ZipEntry {
  name: string;
  /** Of its contents, in the file. */
  offset: number;
  /** As they are stored. */
  bytes: number;
  crc32: number;
  isCompressed: boolean;
}

const entryBytes = 46;
const localBytes = 30;

/** @throws UserError when the archive is malformed, encrypted or ambiguous. */
export async function readZipDirectory(file: RangeFile): Promise<Map<string, ZipEntry>> {
  const directory = await findDirectory(file);
  const bytes = await file.read(directory.offset, directory.bytes);
  const entries = new Map<string, ZipEntry>();
  const ranges: { name: string; begin: number; end: number }[] = [];
  let at = 0;
  for (let i = 0; i < directory.entryCount; i++) {
    const record = parseRecord(file, bytes, at);
    at = record.next;
    const { name, bytes: storedBytes, crc32, isCompressed } = record;
    checkName(file, name);
    if (entries.has(name)) refuse(file, `has two entries ${quote(name)}`);
    const offset = await contentsOf(file, record, directory.offset);
    entries.set(name, { name, offset, bytes: storedBytes, crc32, isCompressed });
    ranges.push({ name, begin: record.localOffset, end: offset + storedBytes });
  }
  if (at !== bytes.length) refuse(file, 'has a directory of another size than it says');
  checkApart(file, ranges);
  return entries;
}

interface DirectoryRecord extends Omit<ZipEntry, 'offset'> {
  method: number;
  localOffset: number;
  next: number;
}

function parseRecord(file: RangeFile, directory: Uint8Array, at: number): DirectoryRecord {
  const view = new DataView(directory.buffer, directory.byteOffset, directory.length);
  if (at + entryBytes > directory.length || view.getUint32(at, true) !== 0x02014b50) {
    refuse(file, 'has a damaged directory');
  }
  const nameEnd = at + entryBytes + view.getUint16(at + 28, true);
  const extraEnd = nameEnd + view.getUint16(at + 30, true);
  const next = extraEnd + view.getUint16(at + 32, true);
  if (next > directory.length) refuse(file, 'has a damaged directory');
  const name = decodeName(file, directory.subarray(at + entryBytes, nameEnd));
  if (view.getUint16(at + 8, true) & 0x2041) refuse(file, `has the encrypted entry ${quote(name)}`);
  const method = view.getUint16(at + 10, true);
  const short = {
    bytes: view.getUint32(at + 24, true),
    stored: view.getUint32(at + 20, true),
    offset: view.getUint32(at + 42, true),
  };
  const extra = directory.subarray(nameEnd, extraEnd);
  const { bytes, stored, offset } = withZip64(file, name, short, extra);
  const isCompressed = method !== 0;
  if (!isCompressed && bytes !== stored) refuse(file, `has two sizes for ${quote(name)}`);
  const crc32 = view.getUint32(at + 16, true);
  return { name, bytes: stored, method, crc32, localOffset: offset, isCompressed, next };
}

type Sizes = Record<'bytes' | 'stored' | 'offset', number>;

/** Sizes that do not fit into four bytes stand in an extra field, in this order. */
function withZip64(file: RangeFile, name: string, short: Sizes, extra: Uint8Array): Sizes {
  const view = new DataView(extra.buffer, extra.byteOffset, extra.length);
  for (let at = 0; at + 4 <= extra.length; ) {
    const end = at + 4 + view.getUint16(at + 2, true);
    if (end > extra.length) break;
    if (view.getUint16(at, true) === 1) {
      let field = at + 4;
      const sizes = { ...short };
      for (const key of ['bytes', 'stored', 'offset'] as const) {
        if (short[key] !== 0xffffffff) continue;
        if (field + 8 > end) refuse(file, `does not say how large ${quote(name)} is`);
        sizes[key] = Number(view.getBigUint64(field, true));
        field += 8;
      }
      return sizes;
    }
    at = end;
  }
  return short;
}

/** Where an entry's contents begin: behind a header of its own, which has to agree. */
async function contentsOf(
  file: RangeFile,
  { name, localOffset, bytes, method }: DirectoryRecord,
  directoryOffset: number,
): Promise<number> {
  if (localOffset + localBytes > directoryOffset) refuse(file, `does not hold ${quote(name)}`);
  // Its name should be as long as the directory's: both are read at once.
  const expected = Buffer.from(name);
  const readBytes = Math.min(localBytes + expected.length, directoryOffset - localOffset);
  const header = await file.read(localOffset, readBytes);
  const view = new DataView(header.buffer);
  if (view.getUint32(0, true) !== 0x04034b50) refuse(file, `does not hold ${quote(name)}`);
  const offset = localOffset + localBytes + view.getUint16(26, true) + view.getUint16(28, true);
  if (offset + bytes > directoryOffset) {
    refuse(file, `holds less than the ${bytes} bytes that it says ${quote(name)} has`);
  }
  const isSame =
    view.getUint16(26, true) === expected.length &&
    expected.equals(header.subarray(localBytes)) &&
    view.getUint16(8, true) === method;
  if (!isSame) refuse(file, `says two different things of ${quote(name)}`);
  return offset;
}

function decodeName(file: RangeFile, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse(file, 'has an entry whose name is not UTF-8');
  }
}

function checkName(file: RangeFile, name: string): void {
  const isPlain =
    name !== '' &&
    !/[\p{Cc}\\]/u.test(name) &&
    name.split('/').every((part) => !['', '.', '..'].includes(part));
  if (!isPlain) refuse(file, `has an entry with the name ${quote(name)}`);
}

/** Two entries that share bytes are how a small archive claims to be a large one. */
function checkApart(file: RangeFile, ranges: { name: string; begin: number; end: number }[]): void {
  ranges.sort((a, b) => a.begin - b.begin);
  let before: { name: string; end: number } | undefined;
  for (const range of ranges) {
    if (before && range.begin < before.end) {
      refuse(file, `has entries that overlap: ${quote(before.name)} and ${quote(range.name)}`);
    }
    before = range;
  }
}

export function refuse(file: RangeFile, what: string): never {
  throw new UserError(`${file.path} ${what}: it is damaged, or was made to deceive.`);
}
