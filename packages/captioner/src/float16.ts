/**
 * IEEE 754 half precision, in which features travel: half of float32's bytes for a relative error
 * of at most 2⁻¹¹. Conversion goes through tables by sign and exponent (Fox Toolkit, van der
 * Zijp 2012), with rounding to nearest, ties to even, as hardware rounds.
 */

/** Rounds to nearest even; overflows to infinity, keeps NaN, infinities and signed zeros. */
export function toFloat16(values: Float32Array): Uint16Array {
  encodeTables ??= createEncodeTables();
  const { base, shift } = encodeTables;
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const u = bits[i] as number;
    if ((u & 0x7fffffff) > 0x7f800000) {
      halves[i] = 0x7e00; // NaN
      continue;
    }
    const key = u >>> 23;
    const significand = (u & 0x7fffff) | 0x800000;
    const drop = shift[key] as number;
    // A carry out of the rounded significand increments the exponent, which is what it should do.
    const odd = (significand >>> drop) & 1;
    const rounded = (significand + (1 << (drop - 1)) - 1 + odd) >>> drop;
    halves[i] = (base[key] as number) + rounded;
  }
  return halves;
}

/** Exact. */
export function fromFloat16(halves: Uint16Array): Float32Array {
  decodeTable ??= createDecodeTable();
  const table = decodeTable;
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = table[halves[i] as number] as number;
  return values;
}

let encodeTables: { base: Uint16Array; shift: Uint8Array } | undefined;
let decodeTable: Float32Array | undefined;

/** By the float32's sign and exponent: what to add to the shifted significand, and its shift. */
function createEncodeTables() {
  const base = new Uint16Array(512);
  const shift = new Uint8Array(512);
  for (let key = 0; key < 512; key++) {
    const sign = key & 0x100 ? 0x8000 : 0;
    const exponent = (key & 0xff) - 127;
    if (exponent > 15) {
      base[key] = sign | 0x7c00; // infinity
      shift[key] = 31; // nothing of the significand remains
    } else if (exponent >= -14) {
      // Normal. The significand's leading 1 adds one to the exponent, so the base has one less.
      base[key] = sign | ((exponent + 14) << 10);
      shift[key] = 13;
    } else {
      base[key] = sign; // subnormal, or zero
      shift[key] = Math.min(-1 - exponent, 31);
    }
  }
  return { base, shift };
}

function createDecodeTable(): Float32Array {
  return Float32Array.from({ length: 0x10000 }, (_, half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}
