import { formatSafetensors, fromFloat16, parseSafetensors, toFloat16 } from '@cutline/captioner';
import { describe, expect, it } from 'vitest';

const tensors = new Map([
  ['matrix', { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, -6.5) }],
  ['scalar', { shape: [], data: Float32Array.of(0.1) }],
  ['empty', { shape: [0, 4], data: new Float32Array(0) }],
]);

/** A file with this header, and so many bytes of data. */
function fileOf(header: unknown, dataBytes: number): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = Buffer.alloc(8 + json.length + dataBytes);
  bytes.writeBigUInt64LE(BigInt(json.length));
  json.copy(bytes, 8);
  return bytes;
}

describe('safetensors', () => {
  it('brings tensors back as they were', () => {
    expect(parseSafetensors(formatSafetensors(tensors), 'x')).toEqual(
      new Map([...tensors].sort(([a], [b]) => (a < b ? -1 : 1))),
    );
  });

  it('writes the same bytes whatever the order of the tensors', () => {
    const reversed = new Map([...tensors].reverse());
    expect(formatSafetensors(reversed)).toEqual(formatSafetensors(tensors));
  });

  it('brings back every half as the float32 that it is', () => {
    const halves = Uint16Array.from({ length: 0x10000 }, (_, half) => half);
    const data = fromFloat16(halves).filter((value) => !Number.isNaN(value));
    const file = formatSafetensors(new Map([['all', { shape: [data.length], data }]]), 'float16');
    expect(parseSafetensors(file, 'x').get('all')).toEqual({ shape: [data.length], data });
  });

  it('stores float16 in half the bytes, rounded once: written again, it is the same file', () => {
    const file = formatSafetensors(tensors, 'float16');
    const found = parseSafetensors(file, 'x');
    for (const [name, { shape, data }] of tensors) {
      expect(found.get(name), name).toEqual({ shape, data: fromFloat16(toFloat16(data)) });
    }
    expect(found.get('scalar')?.data[0]).not.toBe(tensors.get('scalar')?.data[0]);
    expect(formatSafetensors(found, 'float16')).toEqual(file);
    const headerBytes = (bytes: Uint8Array) => Number(Buffer.from(bytes).readBigUInt64LE());
    expect(file.length - 8 - headerBytes(file)).toBe(2 * 7);
  });

  it('reads both types from one file, at odd places too', () => {
    for (const padding of [0, 1, 2, 3]) {
      const header = {
        half: { dtype: 'F16', shape: [1], data_offsets: [0, 2] },
        float: { dtype: 'F32', shape: [1], data_offsets: [2, 6] },
      };
      const file = fileOf(JSON.stringify(header) + ' '.repeat(padding), 6);
      const view = new DataView(file.buffer, file.byteOffset + file.length - 6);
      view.setUint16(0, 0x3e00, true);
      view.setFloat32(2, 0.1, true);
      const found = parseSafetensors(file, 'x');
      expect(found.get('half')?.data).toEqual(Float32Array.of(1.5));
      expect(found.get('float')?.data).toEqual(Float32Array.of(0.1));
    }
  });

  it('reads data that is not aligned, and ignores metadata', () => {
    const header = {
      __metadata__: { family: 'x' },
      a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] },
    };
    const text = JSON.stringify(header);
    for (let padding = 0; padding < 4; padding++) {
      const file = fileOf(text + ' '.repeat(padding), 4);
      new DataView(file.buffer, file.byteOffset).setFloat32(file.length - 4, 1.5, true);
      expect(parseSafetensors(file, 'x').get('a')?.data).toEqual(Float32Array.of(1.5));
    }
  });

  const entry = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
  it.each([
    ['an empty file', new Uint8Array(0), /^w: not a safetensors file, or a truncated one/],
    ['text', Buffer.from('not a safetensors file'), /^w: not a safetensors file, or a truncated/],
    ['a header that is no JSON', fileOf('{"a":', 0), /^w: .*header is not a JSON object/],
    ['a header that is a list', fileOf([], 0), /^w: .*header is not a JSON object/],
    ['data cut off', fileOf({ a: entry }, 7), /^w: 'a' of shape \[2\] takes 8 bytes, but .* 7/],
    [
      'another dtype',
      fileOf({ a: { ...entry, dtype: 'BF16' } }, 8),
      /^w: 'a' should be of dtype F32, F16 or I8, and is of BF16$/,
    ],
    [
      'a dtype that every object has',
      fileOf({ a: { ...entry, dtype: 'constructor' } }, 8),
      /^w: 'a' should be of dtype F32, F16 or I8, and is of constructor$/,
    ],
    [
      'float32 under the name of float16',
      fileOf({ a: { ...entry, dtype: 'F16' } }, 8),
      /^w: 'a' of shape \[2\] takes 4 bytes, but the file says 0 to 8 of 8/,
    ],
    [
      'float16 under the name of float32',
      fileOf({ a: { ...entry, data_offsets: [0, 4] } }, 4),
      /^w: 'a' of shape \[2\] takes 8 bytes, but the file says 0 to 4 of 4/,
    ],
    ['offsets that do not fit', fileOf({ a: { ...entry, shape: [3] } }, 12), /takes 12 bytes/],
    ['a negative offset', fileOf({ a: { ...entry, data_offsets: [-8, 0] } }, 8), /malformed/],
    ['a huge shape', fileOf({ a: { ...entry, shape: [2 ** 40] } }, 8), /takes 4398046511104 bytes/],
  ])('refuses %s', (_what, bytes, message) => {
    expect(() => parseSafetensors(bytes, 'w')).toThrow(message);
  });
});
