// @ts-check

/**
 * Features in 8 bits: an experiment of the bench, which no product speaks. Every annotation vector
 * has a scale of its own, its largest value in float32; a channel is one of 255 equal steps of it,
 * with a sign. What is returned is what a decoder would read back.
 *
 * @param {Float32Array} features [B,L,D]
 * @param {number} channels D
 */
export function throughEightBits(features, channels) {
  const read = new Float32Array(features.length);
  for (let start = 0; start < features.length; start += channels) {
    const vector = features.subarray(start, start + channels);
    const scale = vector.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    if (scale === 0) continue;
    for (const [channel, value] of vector.entries()) {
      read[start + channel] = (Math.round((value / scale) * steps) / steps) * scale;
    }
  }
  return read;
}

/** int8 holds -127 to 127. */
const steps = 127;

/** @param {readonly [locations: number, channels: number]} shape of an image's features */
export function eightBitBytes([locations, channels]) {
  return locations * channels + locations * Float32Array.BYTES_PER_ELEMENT;
}
