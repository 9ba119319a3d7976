/** A segment of a JPEG file: what it is, and where it begins. */
export interface JpegSegment {
  marker: number;
  at: number;
}

/** Marker of the first scan, where segments give way to data. */
export const startOfScan = 0xda;

/** The segments up to the first scan, or up to where they make no sense any more. */
export function* jpegSegments(jpeg: Buffer): Generator<JpegSegment> {
  if (jpeg.length < 4 || jpeg.readUInt16BE(0) !== 0xffd8) return;
  for (let at = 2; at + 4 <= jpeg.length && jpeg[at] === 0xff; ) {
    const marker = jpeg[at + 1] as number;
    if (marker === 0xff) {
      at += 1; // filled up
      continue;
    }
    yield { marker, at };
    if (marker === startOfScan) return;
    at += 2 + jpeg.readUInt16BE(at + 2);
  }
}
