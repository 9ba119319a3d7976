/**
 * How features are written down to travel: in float16, or in bytes, which are half as many and
 * change a caption here and there. In bytes, every location has a scale of its own, what a code of
 * 1 stands for there; an image's features are
 *
 *   scales [L]    float32, little-endian
 *   codes [L,D]   int8, from -127 to 127: value / scale, to the nearest
 *
 * Decoders start from float16 in either case, since that is what they are given otherwise.
 */
import { fromFloat16, toFloat16 } from './float16.ts';

export type FeatureType = 'float16' | 'int8';

/** `[L,D]` */
type Shape = readonly [locations: number, channels: number];

/** Bytes of an image's features. */
export function featureBytes(type: FeatureType, [locations, channels]: Shape): number {
  return type === 'float16' ? locations * channels * 2 : locations * (channels + scaleBytes);
}

/**
 * `features [B,L,D]` float16 as bytes.
 * @returns B times `featureBytes('int8', shape)`
 */
export function toInt8Features(features: Uint16Array, shape: Shape): Uint8Array<ArrayBuffer> {
  const [locations, channels] = shape;
  const values = fromFloat16(features);
  const images = values.length / (locations * channels);
  const imageBytes = featureBytes('int8', shape);
  const packed = new Uint8Array(images * imageBytes);
  const view = new DataView(packed.buffer);
  const codes = new Int8Array(packed.buffer);
  for (let row = 0; row < images * locations; row++) {
    const first = row * channels;
    let largest = 0;
    for (let at = first; at < first + channels; at++) {
      const size = Math.abs(values[at] as number);
      if (size > largest) largest = size;
    }
    const { scaleAt, codesAt } = placeOf(row, shape);
    const scale = Math.fround(largest / codeMax);
    view.setFloat32(scaleAt, scale, true);
    if (scale === 0) continue; // all codes are 0
    for (let channel = 0; channel < channels; channel++) {
      codes[codesAt + channel] = Math.round((values[first + channel] as number) / scale);
    }
  }
  return packed;
}

/** The inverse of `toInt8Features`, but for the rounding. */
export function fromInt8Features(packed: Uint8Array, shape: Shape): Uint16Array<ArrayBuffer> {
  const [locations, channels] = shape;
  const images = packed.length / featureBytes('int8', shape);
  const values = new Float32Array(images * locations * channels);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  const codes = new Int8Array(packed.buffer, packed.byteOffset, packed.length);
  for (let row = 0; row < images * locations; row++) {
    const { scaleAt, codesAt } = placeOf(row, shape);
    const scale = view.getFloat32(scaleAt, true);
    for (let channel = 0; channel < channels; channel++) {
      values[row * channels + channel] = scale * (codes[codesAt + channel] as number);
    }
  }
  return toFloat16(values) as Uint16Array<ArrayBuffer>;
}

const codeMax = 127;
const scaleBytes = Float32Array.BYTES_PER_ELEMENT;

/** Where a location's scale and codes are; rows are numbered through the images. */
function placeOf(row: number, shape: Shape): { scaleAt: number; codesAt: number } {
  const [locations, channels] = shape;
  const location = row % locations;
  const image = ((row - location) / locations) * featureBytes('int8', shape);
  return {
    scaleAt: image + location * scaleBytes,
    codesAt: image + locations * scaleBytes + location * channels,
  };
}
