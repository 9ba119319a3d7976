/** Zip archives by hand: as torch.save writes them, or with lies in them. */
import { crc32 } from 'node:zlib';

export interface ZipRecord {
  name: string;
  contents: Uint8Array;
  /** What the directory says instead of the truth. */
  claims?: {
    bytes?: number;
    storedBytes?: number;
    offset?: number;
    method?: number;
    flags?: number;
    crc32?: number;
    /** In a zip64 field, and 0xffffffff in the place for it. */
    zip64?: boolean;
  };
  /** What the header in front of the contents says. */
  local?: { name?: string; method?: number };
}

export interface ZipEnd {
  entryCount?: number;
  directoryOffset?: number;
  directoryBytes?: number;
  zip64?: boolean;
  comment?: string;
}

export function zipArchive(records: ZipRecord[], end: ZipEnd = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const record of records) {
    const local = localHeader(record);
    directory.push(directoryRecord(record, at));
    parts.push(local, Buffer.from(record.contents));
    at += local.length + record.contents.length;
  }
  const bytes = Buffer.concat(directory);
  const { entryCount = records.length, directoryOffset = at, directoryBytes = bytes.length } = end;
  parts.push(bytes);
  if (end.zip64) parts.push(end64(entryCount, directoryBytes, directoryOffset, at + bytes.length));
  const last = Buffer.alloc(22);
  last.writeUInt32LE(0x06054b50, 0);
  last.writeUInt16LE(end.zip64 ? 0xffff : entryCount, 8);
  last.writeUInt16LE(end.zip64 ? 0xffff : entryCount, 10);
  last.writeUInt32LE(end.zip64 ? 0xffffffff : directoryBytes, 12);
  last.writeUInt32LE(end.zip64 ? 0xffffffff : directoryOffset, 16);
  const comment = Buffer.from(end.comment ?? '');
  last.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, last, comment]);
}

function localHeader({ name, local = {} }: ZipRecord): Buffer {
  const nameBytes = Buffer.from(local.name ?? name);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(0x0808, 6);
  header.writeUInt16LE(local.method ?? 0, 8);
  header.writeUInt16LE(nameBytes.length, 26);
  return Buffer.concat([header, nameBytes]);
}

function directoryRecord({ name, contents, claims = {} }: ZipRecord, at: number): Buffer {
  const nameBytes = Buffer.from(name);
  const { bytes = contents.length, storedBytes = bytes, offset = at } = claims;
  const extra = Buffer.alloc(claims.zip64 ? 28 : 0);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(claims.flags ?? 0x0808, 8);
  header.writeUInt16LE(claims.method ?? 0, 10);
  header.writeUInt32LE(claims.crc32 ?? crc32(contents), 16);
  header.writeUInt16LE(nameBytes.length, 28);
  header.writeUInt16LE(extra.length, 30);
  const places = [
    [24, bytes],
    [20, storedBytes],
    [42, offset],
  ] as const;
  if (claims.zip64) {
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(24, 2);
  }
  for (const [i, [place, value]] of places.entries()) {
    header.writeUInt32LE(claims.zip64 ? 0xffffffff : value, place);
    if (claims.zip64) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  }
  return Buffer.concat([header, nameBytes, extra]);
}

function end64(entryCount: number, bytes: number, offset: number, at: number): Buffer {
  const record = Buffer.alloc(56 + 20);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(BigInt(entryCount), 24);
  record.writeBigUInt64LE(BigInt(entryCount), 32);
  record.writeBigUInt64LE(BigInt(bytes), 40);
  record.writeBigUInt64LE(BigInt(offset), 48);
  record.writeUInt32LE(0x07064b50, 56);
  record.writeBigUInt64LE(BigInt(at), 64);
  record.writeUInt32LE(1, 72);
  return record;
}
