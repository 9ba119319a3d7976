/** The end of a zip archive, which says where its directory lies; in archives over 4 GB, twice. */
import { UserError } from '@cutline/shared/errors';
import type { RangeFile } from '../../files/range-file.ts';

export interface ZipDirectoryPlace {
  offset: number;
  bytes: number;
  entryCount: number;
}

const endBytes = 22;
const locatorBytes = 20;
const end64Bytes = 56;
const commentBytesMax = 0xffff;

/** Published checkpoints have a few hundred entries in 100 KB. */
const directoryBytesMax = 16 * 1024 * 1024;
const entryCountMax = 100_000;

/** @throws UserError when there is no such end, or what it says cannot be. */
export async function findDirectory(file: RangeFile): Promise<ZipDirectoryPlace> {
  const tailBytes = Math.min(file.bytes, locatorBytes + endBytes + commentBytesMax);
  const tail = await file.read(file.bytes - tailBytes, tailBytes);
  const view = new DataView(tail.buffer);
  const at = findEnd(view);
  if (at === undefined) {
    throw new UserError(`${file.path} has lost its end: it is truncated. Fetch it again.`);
  }
  const place = (await findDirectory64(file, view, at)) ?? {
    entryCount: view.getUint16(at + 10, true),
    bytes: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  };
  if (place.offset + place.bytes > file.bytes - tailBytes + at) {
    throw new UserError(`${file.path}: its directory lies beyond its end: the file is damaged.`);
  }
  if (place.bytes > directoryBytesMax || place.entryCount > entryCountMax) {
    throw new UserError(
      `${file.path}: its directory has ${place.entryCount} entries in ${place.bytes} bytes; ` +
        `${entryCountMax} in ${directoryBytesMax} are the most that are read.`,
    );
  }
  return place;
}

/** The last record whose comment ends exactly where the file does. */
function findEnd(view: DataView): number | undefined {
  for (let at = view.byteLength - endBytes; at >= 0; at--) {
    if (view.getUint32(at, true) !== 0x06054b50) continue;
    if (at + endBytes + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  return undefined;
}

/** What the larger record says; undefined where there is none. */
async function findDirectory64(
  file: RangeFile,
  tail: DataView,
  at: number,
): Promise<ZipDirectoryPlace | undefined> {
  const locator = at - locatorBytes;
  if (locator < 0 || tail.getUint32(locator, true) !== 0x07064b50) return undefined;
  const offset = Number(tail.getBigUint64(locator + 8, true));
  if (offset + end64Bytes > file.bytes) {
    throw new UserError(`${file.path}: its directory lies beyond its end: the file is damaged.`);
  }
  const view = new DataView((await file.read(offset, end64Bytes)).buffer);
  if (view.getUint32(0, true) !== 0x06064b50) {
    throw new UserError(`${file.path}: its end says two different things: the file is damaged.`);
  }
  return {
    entryCount: Number(view.getBigUint64(32, true)),
    bytes: Number(view.getBigUint64(40, true)),
    offset: Number(view.getBigUint64(48, true)),
  };
}
