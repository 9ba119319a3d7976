/**
 * LZW as TIFF has it (TIFF 6.0, section 13): codes of 9 to 12 bits, the highest bit first, wider one
 * code early. It ends at the end code, where codes make no sense any more, or when all is there.
 *
 * @returns what could be decoded, at most `bytesMax`
 */
export function decodeLzw(codes: Uint8Array, bytesMax: number): Buffer {
  const out = Buffer.alloc(bytesMax);
  // A string is where it was put out before: its first place, and its length.
  const starts = new Uint32Array(tableMax);
  const lengths = new Uint32Array(tableMax);
  let [length, next, width] = [0, firstFree, 9];
  let [previousStart, previousLength] = [0, 0];
  let [buffer, bits] = [0, 0];
  for (let at = 0; length < bytesMax; ) {
    while (bits < width && at < codes.length) {
      buffer = ((buffer << 8) | (codes[at++] as number)) & 0xffffff;
      bits += 8;
    }
    if (bits < width) break;
    const code = (buffer >> (bits - width)) & ((1 << width) - 1);
    bits -= width;
    if (code === clearCode) {
      [next, width, previousLength] = [firstFree, 9, 0];
      continue;
    }
    if (code === endCode || code > next || (code === next && previousLength === 0)) break;
    const start = length;
    if (code < 256) {
      out[length++] = code;
    } else {
      // The code that is about to be given stands for the string before and its first byte again.
      const [from, count] =
        code < next
          ? [starts[code] as number, lengths[code] as number]
          : [previousStart, previousLength + 1];
      for (let n = 0; n < count && length < bytesMax; n++) out[length++] = out[from + n] as number;
    }
    if (previousLength > 0 && next < tableMax) {
      starts[next] = previousStart;
      lengths[next] = previousLength + 1;
      next += 1;
    }
    if (next + 1 >= 1 << width && width < 12) width += 1;
    [previousStart, previousLength] = [start, length - start];
  }
  return out.subarray(0, length);
}

const tableMax = 4_096;
const clearCode = 256;
const endCode = 257;
const firstFree = 258;
