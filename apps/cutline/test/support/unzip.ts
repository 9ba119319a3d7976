import { inflateRawSync } from 'node:zlib';

/** Reads a zip file (APPNOTE 4.3) by its central directory: texts by their names. */
export function unzip(zip: Buffer): Map<string, string> {
  const end = zip.lastIndexOf('PK\u0005\u0006', undefined, 'latin1');
  const texts = new Map<string, string>();
  let at = zip.readUInt32LE(end + 16);
  for (let entry = 0; entry < zip.readUInt16LE(end + 10); entry++) {
    const bytes = zip.readUInt32LE(at + 20);
    const [name, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    const local = zip.readUInt32LE(at + 42);
    const data = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const path = zip.toString('utf8', at + 46, at + 46 + name!);
    texts.set(path, inflateRawSync(zip.subarray(data, data + bytes)).toString('utf8'));
    at += 46 + name! + extra! + comment!;
  }
  return texts;
}
