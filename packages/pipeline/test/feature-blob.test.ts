import { crc32 } from 'node:zlib';
import { DamagedFeaturesError, packFeatures, unpackFeatures } from '@cutline/pipeline';
import { describe, expect, test } from 'vitest';

/** Two images, three locations, two channels: 24 bytes of payload, and a whole blob of 90. */
const model = 'tiny@0123456789ab';
const features = {
  dtype: 'float16' as const,
  shape: [2, 3, 2] as [number, number, number],
  payload: Uint8Array.from({ length: 24 }, (_, i) => (i * 37) % 256),
};
const blob = packFeatures(model, features);

test('gives back what was packed', () => {
  expect(unpacked(blob)).toEqual({ model, features });
});

test('gives back answers of a server, however long they are', () => {
  const payload = Uint8Array.from(Buffer.from('["a dog","a boat"]'));
  const answers = { dtype: 'answers' as const, shape: [2] as [number], payload };
  expect(unpacked(packFeatures(model, answers))).toEqual({ model, features: answers });
});

/** With bytes in an array of their own, as they were packed. */
function unpacked(bytes: Buffer) {
  const { features: found, ...rest } = unpackFeatures(bytes);
  return { ...rest, features: { ...found, payload: Uint8Array.from(found.payload) } };
}

test('packs the same bytes for the same features', () => {
  expect(packFeatures(model, features).equals(blob)).toBe(true);
});

test('says the format, and the header as JSON, for whoever looks into Redis', () => {
  expect(blob.toString('latin1', 0, 4)).toBe('CLF1');
  expect(JSON.parse(blob.toString('utf8', 12, 12 + blob.readUInt32LE(8)))).toEqual({
    model: 'tiny@0123456789ab',
    dtype: 'float16',
    shape: [2, 3, 2],
  });
});

test('refuses to pack a payload of another size than the shape says', () => {
  const short = { ...features, payload: features.payload.subarray(1) };
  expect(() => packFeatures(model, short)).toThrow(/shape \[2,3,2\] take 24 bytes .* got 23/);
});

describe('damage is noticed', () => {
  test('wherever the blob was cut off', () => {
    for (let length = 0; length < blob.length; length++) {
      const cut = blob.subarray(0, length);
      expect(() => unpackFeatures(cut), `${length} bytes`).toThrow(DamagedFeaturesError);
    }
  });

  test('whichever bit changed', () => {
    for (let bit = 0; bit < blob.length * 8; bit++) {
      const changed = Buffer.from(blob);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => unpackFeatures(changed), `bit ${bit}`).toThrow(DamagedFeaturesError);
    }
  });

  test('when bytes were added', () => {
    const longer = Buffer.concat([blob, Buffer.from([0])]);
    expect(() => unpackFeatures(longer)).toThrow(DamagedFeaturesError);
  });

  test('when it is something else altogether', () => {
    expect(() => unpackFeatures(Buffer.from('hello, this is text'))).toThrow(/does not start like/);
  });
});

describe('a blob whose checksum is right, but not its content', () => {
  const withHeader = (header: unknown) => {
    const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(json.length);
    const body = Buffer.concat([length, json, features.payload]);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32LE(crc32(body));
    return Buffer.concat([Buffer.from('CLF1'), checksum, body]);
  };
  const header = { model: 'm@1', dtype: 'float16', shape: [2, 3, 2] };

  test('is accepted when the header is what this version writes', () => {
    expect(unpackFeatures(withHeader(header)).features.shape).toEqual([2, 3, 2]);
  });

  test.each([
    ['not JSON', '{'],
    ['another dtype', { ...header, dtype: 'int8' }],
    ['answers with a shape of features', { ...header, dtype: 'answers' }],
    ['a shape of two numbers', { ...header, shape: [6, 2] }],
    ['a dimension of 0', { ...header, shape: [0, 3, 2] }],
    ['a field that this version does not know', { ...header, zipped: true }],
  ])('is refused with %s', (_, wrong) => {
    expect(() => unpackFeatures(withHeader(wrong))).toThrow(/header .* cannot be read/);
  });

  test('is refused when the shape is of more than there is', () => {
    const more = withHeader({ ...header, shape: [2, 3, 3] });
    expect(() => unpackFeatures(more)).toThrow(/shape \[2,3,3\] take 36 bytes, the blob has 24/);
  });
});
