import { openCheckpoint } from '@cutline/checkpoints/weights';
import { UserError } from '@cutline/shared/errors';
import { expect, test } from 'vitest';
import { folderWith } from './support/checkpoint-folder.ts';
import { dict, pickle, tensor, text } from './support/pickle-code.ts';
import { type ZipEnd, type ZipRecord, zipArchive } from './support/zip-archive.ts';

const code: ZipRecord = { name: 'model/data.pkl', contents: pickle(dict(text('x'), tensor())) };
const data: ZipRecord = {
  name: 'model/data/0',
  contents: Buffer.from(Float32Array.of(1, 2, 3, 4).buffer),
};

async function open(records: ZipRecord[], end?: ZipEnd) {
  const archive = zipArchive(records, end);
  return openCheckpoint(await folderWith({ 'pytorch_model.bin': archive }));
}

test.each<[string, ZipRecord[], ZipEnd]>([
  ['plain', [code, data], {}],
  ['of more than 4 GB', [code, { ...data, claims: { zip64: true } }], { zip64: true }],
  ['with a comment', [code, data], { comment: 'made by PK\x05\x06 hand' }],
  [
    'of a little-endian machine',
    [code, data, { name: 'model/byteorder', contents: Buffer.from('little') }],
    {},
  ],
])('an archive %s is read', async (_, records, end) => {
  const checkpoint = await open(records, end);
  expect((await checkpoint.read('x')).data).toEqual(Float32Array.of(1, 2, 3, 4));
  await checkpoint.close();
});

const claiming = (claims: NonNullable<ZipRecord['claims']>) => [code, { ...data, claims }];
const besides = (name: string) => [code, data, { name, contents: Buffer.from('x') }];

test.each<[string, ZipRecord[], RegExp, ZipEnd?]>([
  ['a size beyond the file', claiming({ bytes: 4e9 }), /holds less than the 4000000000 bytes/],
  ['a size of exabytes', claiming({ bytes: 2 ** 62, zip64: true }), /holds less than the 46116/],
  ['a smaller size', claiming({ bytes: 8 }), /should have 16 bytes, and has 8/],
  ['a compressed size of its own', claiming({ storedBytes: 4 }), /two sizes for/],
  [
    'compression',
    [code, { ...data, claims: { method: 8 }, local: { method: 8 } }],
    /the compressed entry 'model\/data\/0'/,
  ],
  ['encryption', claiming({ flags: 1 }), /the encrypted entry/],
  ['an offset beyond the file', claiming({ offset: 1e9 }), /does not hold 'model\/data\/0'/],
  ['an offset of exabytes', claiming({ offset: 2 ** 62, zip64: true }), /does not hold/],
  ['an offset at something else', claiming({ offset: 7 }), /does not hold/],
  ['the place of another entry', claiming({ offset: 0 }), /two different things|overlap/],
  ['a checksum of something else', [{ ...code, claims: { crc32: 1 } }, data], /its checksum/],
  ['two names for one entry', [code, { ...data, local: { name: 'model/data/1' } }], /two differ/],
  ['two methods for one entry', [code, { ...data, local: { method: 8 } }], /two different things/],
  ['duplicate names', [code, data, data], /two entries 'model\/data\/0'/],
  ['two pickles', [code, data, { ...code, name: 'x/data.pkl' }], /not one of torch\.save/],
  ['no pickle', [data], /not one of torch\.save/],
  ['nothing in it', [], /is not a file of torch\.save/],
  ['a way out of its folder', besides('../../etc/passwd'), /the name '\.\.\/\.\.\/etc\/passwd'/],
  ['a way out further on', besides('model/../../x'), /entry with the name/],
  ['an absolute name', besides('/etc/passwd'), /entry with the name/],
  ['a name of Windows', besides('model\\..\\x'), /entry with the name/],
  ['a name with NUL', besides('model/data\0'), /entry with the name 'model\/data\\u0000'/],
  ['no name', besides(''), /entry with the name ''/],
  ['a name of 60,000 bytes', besides(`${'x'.repeat(60_000)}/../y`), /the name 'x{120}…'/],
  ['more entries than it has', [code, data], /a damaged directory/, { entryCount: 3 }],
  ['fewer entries than it has', [code, data], /another size than it says/, { entryCount: 1 }],
  ['a billion entries', [code, data], /1000000000 entries/, { entryCount: 1e9, zip64: true }],
  ['a directory of 3 GB', [code, data], /beyond its end/, { directoryBytes: 3e9 }],
  ['a directory elsewhere', [code, data], /damaged|beyond/, { directoryOffset: 11 }],
  [
    'a directory in exabytes',
    [code, data],
    /beyond its end/,
    { directoryOffset: 2 ** 62, zip64: true },
  ],
  [
    'big-endian numbers',
    [code, data, { name: 'model/byteorder', contents: Buffer.from('big') }],
    /big-endian/,
  ],
  [
    'a program',
    [code, data, { name: 'model/constants.pkl', contents: Buffer.from('x') }],
    /TorchScript/,
  ],
])('an archive with %s is refused', async (_, records, message, end) => {
  const error = await open(records, end).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toMatch(/\p{Cc}/u);
});

test('numbers that do not match their checksum are refused when they are read', async () => {
  const checkpoint = await open(claiming({ crc32: 1 }));
  await expect(checkpoint.read('x')).rejects.toThrow(
    /'model\/data\/0' does not match its checksum/,
  );
  await checkpoint.close();
});

test('entries that share bytes are refused', async () => {
  const inner = zipArchive([data]).subarray(0, 30 + data.name.length + data.contents.length);
  // The second entry lies within the contents of the first.
  const outer: ZipRecord = { name: 'model/data/1', contents: inner };
  const place = 30 + code.name.length + code.contents.length + 30 + outer.name.length;
  const nested: ZipRecord = { ...data, claims: { offset: place } };
  await expect(open([code, outer, nested])).rejects.toThrow(
    /entries that overlap: 'model\/data\/1' and 'model\/data\/0'/,
  );
});
