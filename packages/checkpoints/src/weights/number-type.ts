/**
 * The types in which files store numbers, and how they become float32. They are little-endian in
 * all files that are read here, as on every machine that Node.js is built for but one (s390x).
 */

export interface NumberType {
  name: string;
  /** Of one number. */
  bytes: number;
  /** Sets `into[0…]` to the numbers in `raw`; absent where they are not weights. */
  widen?(raw: Uint8Array<ArrayBuffer>, into: Float32Array): void;
}

const float32: NumberType = {
  name: 'float32',
  bytes: 4,
  widen: (raw, into) => into.set(new Float32Array(raw.buffer, raw.byteOffset, raw.length / 4)),
};

const float64: NumberType = {
  name: 'float64',
  bytes: 8,
  widen: (raw, into) => into.set(new Float64Array(raw.buffer, raw.byteOffset, raw.length / 8)),
};

const float16: NumberType = {
  name: 'float16',
  bytes: 2,
  widen(raw, into) {
    halves ??= Float32Array.from({ length: 0x10000 }, (_, bits) => fromHalf(bits));
    const source = new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2);
    for (let i = 0; i < source.length; i++) into[i] = halves[source[i] as number] as number;
  },
};

/** The upper half of a float32. */
const bfloat16: NumberType = {
  name: 'bfloat16',
  bytes: 2,
  widen(raw, into) {
    const source = new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2);
    const bits = new Uint32Array(into.buffer, into.byteOffset, into.length);
    for (let i = 0; i < source.length; i++) bits[i] = (source[i] as number) << 16;
  },
};

const uninterpreted = (name: string, bytes: number): NumberType => ({ name, bytes });

export const numberTypes = {
  float32,
  float16,
  bfloat16,
  float64,
  int64: uninterpreted('int64', 8),
  int32: uninterpreted('int32', 4),
  int16: uninterpreted('int16', 2),
  int8: uninterpreted('int8', 1),
  uint8: uninterpreted('uint8', 1),
  bool: uninterpreted('bool', 1),
} as const;

export { uninterpreted };

let halves: Float32Array | undefined;

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
