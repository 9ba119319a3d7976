/**
 * The directories of a TIFF file (TIFF 6.0, 1992; BigTIFF), as far as they say how its pictures are
 * stored. Pixels are not touched: this is to know, before anything is decoded, which picture is
 * meant, whether a decoder knows its kind, and whether all of it is there.
 */

/** One picture, or one of its smaller versions. */
export interface TiffPage {
  width: number;
  height: number;
  /** A smaller version of another page, or a mask: bits 0 and 2 of NewSubfileType. */
  isReduced: boolean;
  compression: number;
  /** undefined where the file does not say. */
  photometric: number | undefined;
  /** One a sample. */
  bitsPerSample: number[];
  samplesPerPixel: number;
  /** 1 unsigned, 2 signed, 3 floating point; of the first sample. */
  sampleFormat: number;
  /** What samples beyond colour are: 0 unspecified, 1 and 2 transparency. */
  extraSamples: number[];
  isPlanar: boolean;
  isTiled: boolean;
  orientation: number;
  /** The largest value of a sample, where the file says it. */
  maxSampleValue: number | undefined;
  /** Where strips or tiles are, in bytes. */
  chunks: { offset: number; bytes: number }[];
  /** How many there should be. */
  chunksExpected: number;
  /** Rows of a strip, or of a tile; the last strip may have fewer. */
  chunkRows: number;
  /** Pixels of a row of a tile, or of the image. */
  chunkWidth: number;
  /** Bits of a byte: 1 the highest first, 2 the lowest. */
  fillOrder: number;
  /** What was subtracted before samples were compressed: 1 nothing, 2 the one before, 3 so in bytes. */
  predictor: number;
  /** Of a palette: all reds, all greens, all blues. */
  colourMap: number[];
  /** Pixels across and down that share their colour difference, in YCbCr. */
  subsampling: [number, number];
  /** Shares of red, green and blue in the luminance, in YCbCr. */
  lumaShares: number[];
  /** Of YCbCr: samples that mean nothing and everything, a pair each. */
  blackWhite: number[];
  /** An ICC profile within the file. */
  profile: { offset: number; bytes: number } | undefined;
  isLittleEndian: boolean;
  /** A whole JPEG file within it (JPEGInterchangeFormat). */
  jpeg: { offset: number; bytes: number } | undefined;
  /** Which place it has in the chain of pages; undefined of those that hang below one (SubIFDs). */
  index: number | undefined;
  /** Values that only camera raws have. */
  isRaw: boolean;
}

/** What of a file is looked at, at most: an archive's scans have a few pages. */
const directoriesMax = 4_096;
const entriesMax = 4_096;
const valuesMax = 1 << 20;

/** @returns undefined for what is no TIFF, or has no directory that can be read */
export function readDirectories(bytes: Buffer): TiffPage[] | undefined {
  const reader = openReader(bytes);
  if (!reader) return undefined;
  const pages: TiffPage[] = [];
  const seen = new Set<number>();
  const visit = (offset: number, isTop: boolean) => {
    for (let at = offset; at > 0 && seen.size < directoriesMax && !seen.has(at); ) {
      seen.add(at);
      const directory = reader.directory(at);
      if (!directory) return;
      const index = isTop ? pages.filter((page) => page.index !== undefined).length : undefined;
      pages.push(toPage(directory, { index, isLittleEndian: reader.isLittle }));
      for (const below of directory.tags.get(tag.subIfds) ?? []) visit(below, false);
      if (!isTop) return;
      at = directory.next;
    }
  };
  visit(reader.first, true);
  return pages.length > 0 ? pages : undefined;
}

const tag = {
  newSubfileType: 254,
  subfileType: 255,
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  stripOffsets: 273,
  orientation: 274,
  samplesPerPixel: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  maxSampleValue: 281,
  planar: 284,
  predictor: 317,
  colourMap: 320,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  subIfds: 330,
  extraSamples: 338,
  sampleFormat: 339,
  jpegOffset: 513,
  jpegBytes: 514,
  lumaShares: 529,
  subsampling: 530,
  blackWhite: 532,
  dngVersion: 50706,
} as const;

const profileTag = 34675;

/** The others are texts and the like. */
const looked: ReadonlySet<number> = new Set(Object.values(tag));

interface Directory {
  tags: ReadonlyMap<number, number[]>;
  profile: { offset: number; bytes: number } | undefined;
}

function toPage(
  { tags, profile }: Directory,
  { index, isLittleEndian }: Pick<TiffPage, 'index' | 'isLittleEndian'>,
): TiffPage {
  const one = (name: number) => tags.get(name)?.[0];
  const width = one(tag.width) ?? 0;
  const height = one(tag.height) ?? 0;
  const samplesPerPixel = one(tag.samplesPerPixel) ?? 1;
  const isTiled = tags.has(tag.tileOffsets) || tags.has(tag.tileWidth);
  const offsets = tags.get(isTiled ? tag.tileOffsets : tag.stripOffsets) ?? [];
  const counts = tags.get(isTiled ? tag.tileByteCounts : tag.stripByteCounts) ?? [];
  const isPlanar = one(tag.planar) === 2;
  const chunkWidth = isTiled ? (one(tag.tileWidth) ?? width) : width;
  const chunkRows = isTiled
    ? (one(tag.tileHeight) ?? height)
    : Math.min(height, one(tag.rowsPerStrip) ?? height);
  const [across, down] = [width / chunkWidth, height / chunkRows];
  const [subsampledX = 2, subsampledY = 2] = tags.get(tag.subsampling) ?? [];
  const chunksExpected = Math.ceil(across) * Math.ceil(down) * (isPlanar ? samplesPerPixel : 1);
  const [jpegOffset, jpegBytes] = [one(tag.jpegOffset), one(tag.jpegBytes)];
  const photometric = one(tag.photometric);
  return {
    ...{ width, height, samplesPerPixel, isTiled, isPlanar, photometric, index },
    isReduced: ((one(tag.newSubfileType) ?? 0) & 5) !== 0 || one(tag.subfileType) === 2,
    compression: one(tag.compression) ?? 1,
    bitsPerSample: tags.get(tag.bitsPerSample) ?? [1],
    sampleFormat: one(tag.sampleFormat) ?? 1,
    extraSamples: tags.get(tag.extraSamples) ?? [],
    orientation: one(tag.orientation) ?? 1,
    maxSampleValue: one(tag.maxSampleValue),
    chunks: offsets.map((offset, n) => ({ offset, bytes: counts[n] ?? Number.NaN })),
    chunksExpected,
    ...{ chunkRows, chunkWidth, profile, isLittleEndian },
    fillOrder: one(tag.fillOrder) ?? 1,
    predictor: one(tag.predictor) ?? 1,
    colourMap: tags.get(tag.colourMap) ?? [],
    subsampling: [subsampledX, subsampledY],
    lumaShares: tags.get(tag.lumaShares) ?? [0.299, 0.587, 0.114],
    blackWhite: tags.get(tag.blackWhite) ?? [0, 255, 128, 255, 128, 255],
    jpeg:
      jpegOffset !== undefined && jpegBytes !== undefined && jpegBytes > 0
        ? { offset: jpegOffset, bytes: jpegBytes }
        : undefined,
    isRaw: tags.has(tag.dngVersion) || photometric === 32803 || photometric === 34892,
  };
}

/** Of a value, in bytes, by its type's number. */
const typeBytes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
const rational = 5;

function openReader(bytes: Buffer) {
  const order = bytes.toString('latin1', 0, 2);
  if (bytes.length < 8 || (order !== 'II' && order !== 'MM')) return undefined;
  const isLittle = order === 'II';
  const u16 = (at: number) => (isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const u32 = (at: number) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const u64 = (at: number) =>
    Number(isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  const isBig = u16(2) === 43;
  // 42, or what Olympus and Panasonic write in its place.
  if (!isBig && ![42, 0x4f52, 0x5352, 0x55].includes(u16(2))) return undefined;
  const has = (at: number, length: number) => at >= 0 && at + length <= bytes.length;
  const offset = isBig ? u64 : u32;
  const [countBytes, entryBytes, offsetBytes] = isBig ? [8, 20, 8] : [2, 12, 4];

  const readers = new Map([
    [1, (p: number) => bytes[p] ?? 0],
    [2, u16],
    [4, u32],
    [8, u64],
  ]);

  function values(at: number): number[] {
    const type = u16(at + 2);
    const count = isBig ? u64(at + 4) : u32(at + 4);
    const size = typeBytes[type] ?? 0;
    if (size === 0 || count > valuesMax) return [];
    const field = at + (isBig ? 12 : 8);
    const start = size * count <= offsetBytes ? field : offset(field);
    if (!has(start, size * count)) return [];
    const read = type === rational ? (p: number) => u32(p) / u32(p + 4) : readers.get(size);
    if (!read) return [];
    return Array.from({ length: count }, (_, n) => read(start + n * size));
  }

  /** Where a value of many bytes is. */
  function bytesAt(at: number): Directory['profile'] {
    const length = isBig ? u64(at + 4) : u32(at + 4);
    const start = offset(at + (isBig ? 12 : 8));
    return length > offsetBytes && has(start, length)
      ? { offset: start, bytes: length }
      : undefined;
  }

  return {
    isLittle,
    first: isBig ? (has(8, 8) ? u64(8) : 0) : u32(4),
    directory(at: number): (Directory & { next: number }) | undefined {
      if (!has(at, countBytes)) return undefined;
      const count = isBig ? u64(at) : u16(at);
      const end = at + countBytes + count * entryBytes;
      if (count > entriesMax || !has(at, countBytes + count * entryBytes)) return undefined;
      const tags = new Map<number, number[]>();
      let profile: Directory['profile'];
      for (let n = 0; n < count; n++) {
        const entry = at + countBytes + n * entryBytes;
        const name = u16(entry);
        if (looked.has(name)) tags.set(name, values(entry));
        if (name === profileTag) profile = bytesAt(entry);
      }
      return { tags, profile, next: has(end, offsetBytes) ? offset(end) : 0 };
    },
  };
}
