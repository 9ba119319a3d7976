/** TIFF files as they are told, for what no encoder at hand writes. */

export interface TiffPicture {
  width: number;
  height: number;
  /** One strip, or a tile each. */
  chunks: Uint8Array[];
  /** Numbers by tag, beyond those that follow from the picture. */
  tags?: Record<number, number[]>;
  tileSide?: number;
}

/** Little-endian; pages in their order. All values are stored as LONG. */
export function tiffFile(...pictures: TiffPicture[]): Buffer {
  const head = Buffer.from('II*\0\0\0\0\0', 'latin1');
  const pieces: Uint8Array[] = [head];
  let length = 8;
  const append = (bytes: Uint8Array): number => {
    const at = length;
    const padded = bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)]);
    pieces.push(padded);
    length += padded.length;
    return at;
  };
  let link = { buffer: head, at: 4 };
  for (const { width, height, chunks, tags = {}, tileSide } of pictures) {
    const offsets = chunks.map(append);
    const counts = chunks.map((chunk) => chunk.length);
    const where: Record<number, number[]> = tileSide
      ? { 322: [tileSide], 323: [tileSide], 324: offsets, 325: counts }
      : { 273: offsets, 278: [height], 279: counts };
    const all: Record<number, number[]> = {
      ...{ 256: [width], 257: [height], 258: [8], 259: [1], 262: [1], 277: [1] },
      ...where,
      ...tags,
    };
    const names = Object.keys(all)
      .map(Number)
      .toSorted((a, b) => a - b);
    const directory = Buffer.alloc(2 + names.length * 12 + 4);
    directory.writeUInt16LE(names.length, 0);
    for (const [n, name] of names.entries()) {
      const values = all[name] ?? [];
      const at = 2 + n * 12;
      directory.writeUInt16LE(name, at);
      directory.writeUInt16LE(4, at + 2);
      directory.writeUInt32LE(values.length, at + 4);
      const packed = Buffer.alloc(values.length * 4);
      for (const [i, value] of values.entries()) packed.writeUInt32LE(value, i * 4);
      directory.writeUInt32LE(values.length === 1 ? (values[0] ?? 0) : append(packed), at + 8);
    }
    link.buffer.writeUInt32LE(append(directory), link.at);
    link = { buffer: directory, at: directory.length - 4 };
  }
  return Buffer.concat(pieces);
}
