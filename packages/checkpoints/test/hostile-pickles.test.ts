import { openCheckpoint } from '@cutline/checkpoints/weights';
import { UserError } from '@cutline/shared/errors';
import { expect, test } from 'vitest';
import { folderWith } from './support/checkpoint-folder.ts';
import {
  dict,
  global,
  int,
  op,
  orderedDict,
  pickle,
  reduce,
  storage,
  tensor,
  text,
  tuple,
} from './support/pickle-code.ts';
import { zipArchive } from './support/zip-archive.ts';

const numbers = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);

/** Opens an archive with this pickle, and a storage of 4 numbers. */
async function openPickle(code: Buffer) {
  const archive = zipArchive([
    { name: 'model/data.pkl', contents: code },
    { name: 'model/data/0', contents: numbers },
  ]);
  return openCheckpoint(await folderWith({ 'pytorch_model.bin': archive }));
}

test('the pickles of these tests are read where there is nothing wrong with them', async () => {
  const code = pickle(dict(text('all'), tensor(), text('two'), tensor({ offset: 1, shape: [2] })));
  const checkpoint = await openPickle(code);
  expect((await checkpoint.read('all')).data).toEqual(Float32Array.of(1, 2, 3, 4));
  expect((await checkpoint.read('two')).data).toEqual(Float32Array.of(2, 3));
  await checkpoint.close();
});

const system = global('os', 'system');
const command = text('touch /tmp/cutline-was-here');
const short = (value: string) => op(`\x8c${String.fromCharCode(value.length)}${value}`);

test.each<[string, Buffer[], RegExp]>([
  ['os.system by GLOBAL', [reduce(system, command)], /names 'os\.system', which is no part/],
  ['posix.system', [reduce(global('posix', 'system'), command)], /names 'posix\.system'/],
  [
    'os.system by STACK_GLOBAL',
    [short('os'), short('system'), op('\x93'), tuple(command), op('R')],
    /names 'os\.system'/,
  ],
  ['STACK_GLOBAL of what is no text', [int(1), int(2), op('\x93')], /names 1 as if it were/],
  ['os.system by INST', [op('('), command, op('ios\nsystem\n')], /calls 'os\.system' \(INST\)/],
  ['os.system by OBJ', [op('('), system, command, op('o')], /names 'os\.system'/],
  ['OBJ', [op('('), global('collections', 'OrderedDict'), op('o')], /the instruction OBJ/],
  ['builtins.eval', [reduce(global('builtins', 'eval'), command)], /names 'builtins\.eval'/],
  ['builtins.getattr', [global('builtins', 'getattr')], /names 'builtins\.getattr'/],
  ['torch.load', [global('torch', 'load')], /names 'torch\.load'/],
  ['a name with a dot in it', [global('torch', '_utils._rebuild_parameter.x')], /names 'torch\._u/],
  ['a name of any object here', [global('constructor', 'constructor')], /names 'constructor\.co/],
  ['a name that hides itself', [global('o\u202es', 'x\x1b[2J')], /names '.*\\u001b\[2J'/],
  ['a name without an end', [op(`c${'x'.repeat(5000)}`)], /a name that does not end/],
  ['NEWOBJ', [global('collections', 'OrderedDict'), op(')\x81')], /the instruction NEWOBJ/],
  ['NEWOBJ_EX', [global('collections', 'OrderedDict'), op(')}\x92')], /NEWOBJ_EX/],
  ['EXT1', [op('\x82\x01')], /the instruction EXT1/],
  ['EXT4', [op('\x84\x01\0\0\0')], /the instruction EXT4/],
  ['PERSID', [op('Pstorage\n')], /the instruction PERSID/],
  ['an unknown instruction', [op('\xff')], /the instruction 0xff/],
  [
    'REDUCE of text',
    [text('os.system'), tuple(command), op('R')],
    /calls the text 'os\.sy.*REDUCE/,
  ],
  ['REDUCE of a storage type', [reduce(global('torch', 'FloatStorage'))], /calls 'torch\.FloatSt/],
  [
    'REDUCE of what REDUCE gave',
    [reduce(reduce(global('collections', 'OrderedDict')), command)],
    /calls an OrderedDict \(REDUCE\)/,
  ],
  [
    'an OrderedDict made of something',
    [reduce(global('collections', 'OrderedDict'), tuple())],
    /makes an OrderedDict of something else/,
  ],
  ['BUILD on a dictionary', [op('}'), dict(text('_metadata'), orderedDict()), op('b')], /BUILD/],
  [
    'BUILD of another attribute',
    [orderedDict(), dict(text('__class__'), orderedDict()), op('b')],
    /sets attributes of an OrderedDict \(BUILD\)/,
  ],
  [
    'BUILD of two attributes',
    [orderedDict(), dict(text('_metadata'), orderedDict(), text('x'), int(1)), op('b')],
    /BUILD/,
  ],
  ['BUILD on a tensor', [tensor(), dict(text('_metadata'), orderedDict()), op('b')], /of a tensor/],
  ['BUILD on a name', [global('torch', 'FloatStorage'), op('}b')], /attributes of 'torch\.Float/],
  ['a list in itself', [op(']q\x00h\x00a')], /part of something else, or of itself/],
  [
    'a dictionary in a list in itself',
    [op('}q\x00'), text('x'), op(']h\x00as')],
    /part of something else, or of itself/,
  ],
  ['what is nested deeply', [op(']'.repeat(1000) + 'a'.repeat(999))], /more than 32 deep/],
  ['tuples nested deeply', [op(`)${'\x85'.repeat(1000)}`)], /more than 32 deep/],
  // (x, x) of (x, x) of …: 2^2000 items for whoever would look at them all.
  ['doublings', [op('('), op(')'), op('q\x00h\x00\x86'.repeat(2000)), op('l')], /32 deep/],
  ['a whole number of 200 bytes', [op(`\x8a\xc8${'\xff'.repeat(200)}`)], /number of 200 bytes/],
  ['a whole number of 2 GB', [op('\x8b\xff\xff\xff\x7f')], /the instruction LONG4/],
  [
    'a number that no float holds',
    [op(`\x8a\x08${'\xff'.repeat(7)}\x7f`)],
    /whole number 92233720/,
  ],
  ['text of 4 GB', [op('X\xff\xff\xff\xff')], /is truncated/],
  ['text of 8 exabytes', [op('\x8d\0\0\0\0\0\0\0\x7f')], /has the whole number/],
  ['text that is not UTF-8', [op('X\x02\0\0\0\xc3\x28')], /not UTF-8/],
  ['a memo that was never written', [op('h\x07')], /recalls value 7/],
  ['a memo of nothing', [op('q\x00')], /is malformed/],
  ['nothing', [], /is malformed/],
  ['two values', [int(1), int(2)], /more than one value/],
  ['more than the stack has', [op('\x87')], /is malformed/],
  ['a group that never began', [op('t')], /is malformed/],
  ['what lies below a mark', [int(1), int(2), op('(\x86')], /is malformed/],
  ['items of a number', [int(1), text('a'), int(2), op('s')], /sets items of 1/],
  ['half an item', [op('}('), text('a'), op('u')], /sets items of a dictionary/],
  ['items appended to a tuple', [op('))a')], /appends to a tuple/],
  ['a key that is a tuple', [op('}'), tuple(), int(1), op('s')], /with a tuple for a key/],
  ['a key twice', [dict(text('a'), tensor(), text('a'), tensor())], /two entries 'a'/],
  ['protocol 5', [op('\x80\x05')], /protocol 5; 2 to 4/],
  ['protocol 0', [op('\x80\x00')], /protocol 0/],
  ['a persistent id that is text', [text('storage'), op('Q')], /the text 'storage' outside/],
  ['a persistent id of another kind', [tuple(text('file'), text('/etc/passwd')), op('Q')], /tuple/],
  ['a storage of a type that is none', [storage({ type: 'load' })], /names 'torch\.load'/],
  [
    'a storage that is counted in fractions',
    [
      tuple(
        text('storage'),
        global('torch', 'FloatStorage'),
        text('0'),
        text('cpu'),
        op('G?\xe0\0\0\0\0\0\0'),
      ),
      op('Q'),
    ],
    /outside of it that is no storage/,
  ],
  [
    'a parameter of text',
    [reduce(global('torch._utils', '_rebuild_parameter'), text('x'), op('\x89'), op('}'))],
    /a parameter that is described in an unknown way/,
  ],
  [
    'a tensor of text',
    [reduce(global('torch._utils', '_rebuild_tensor_v2'), text('x'))],
    /a tensor that is described in an unknown way/,
  ],
])('%s is refused', async (_, code, message) => {
  const error = await openPickle(pickle(...code)).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).toMatch(/is refused: its data\.pkl .*\. Nothing in it was run/);
  expect((error as Error).message).not.toMatch(/[\n\p{Cc}]/u);
});

test.each<[string, Parameters<typeof tensor>[0], RegExp]>([
  ['more numbers than its storage', { shape: [5] }, /shape \[5\] that reaches beyond the 4/],
  ['an offset behind its storage', { offset: 4 }, /reaches beyond/],
  ['strides beyond its storage', { shape: [2, 2], strides: [3, 1] }, /reaches beyond/],
  ['a huge shape without strides', { shape: [2 ** 40, 2 ** 40], strides: [0, 0] }, /reaches bey/],
  ['a large shape without strides', { shape: [1e9], strides: [0] }, /repeats 1 numbers/],
  [
    'a shape beyond all numbers',
    { shape: Array(32).fill(2 ** 50), strides: Array(32).fill(0) },
    /./,
  ],
  [
    'no numbers, in 33 dimensions',
    { shape: Array(33).fill(0), strides: Array(33).fill(0) },
    /unkn/,
  ],
  ['fewer strides than dimensions', { shape: [2, 2], strides: [1] }, /unknown way/],
  ['strides that go back', { strides: [-1] }, /unknown way|whole number/],
  ['a storage that is not there', { key: '1' }, /storage of 'x' should have 16 bytes.*missing/],
  ['a storage by a path', { key: '../data/0' }, /is missing/],
  [
    'a storage larger than it is',
    { count: 2 ** 40 },
    /should have 4398046511104 bytes, and has 16/,
  ],
  ['a storage of another type', { type: 'HalfStorage' }, /should have 8 bytes, and has 16/],
])('a tensor with %s is refused', async (_, parts, message) => {
  const code = pickle(dict(text('x'), tensor(parts)));
  const error = await openPickle(code).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toMatch(message);
});

test('a pickle that is too large is not read', async () => {
  await expect(openPickle(pickle(op(']'.repeat(17_000_000))))).rejects.toThrow(
    /17000003 bytes; 16777216 are read at most/,
  );
});

test('whatever becomes of a pickle by chance, it is read or refused', async () => {
  const whole = pickle(
    dict(text('x'), tensor(), text('y'), tensor({ shape: [2, 2], strides: [1, 2] })),
  );
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < 500; round++) {
    const code = Buffer.from(whole);
    for (let n = random(3); n >= 0; n--) {
      // Instructions of it, in other places, mean more than bytes by chance.
      code[random(code.length)] = random(2) === 0 ? random(256) : whole[random(whole.length)]!;
    }
    const outcome = await openPickle(code).catch((e: unknown) => e);
    if (outcome instanceof Error)
      expect(outcome, code.toString('latin1')).toBeInstanceOf(UserError);
    else await (outcome as Awaited<ReturnType<typeof openPickle>>).close();
  }
});

test('a pickle that was cut off anywhere is refused', async () => {
  const code = pickle(dict(text('x'), tensor()));
  for (let length = 0; length < code.length; length++) {
    await expect(openPickle(code.subarray(0, length)), `${length}`).rejects.toBeInstanceOf(
      UserError,
    );
  }
});
