/** Pickles by hand, honest and hostile: an instruction a function. */

const latin1 = (text: string) => Buffer.from(text, 'latin1');

function little(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return buffer.subarray(0, bytes);
}

export const op = (text: string) => latin1(text);
export const text = (value: string) =>
  Buffer.concat([latin1('X'), little(Buffer.byteLength(value), 4), Buffer.from(value)]);
export const int = (value: number) => Buffer.concat([latin1('\x8a\x08'), little(value, 8)]);
export const global = (module: string, name: string) => latin1(`c${module}\n${name}\n`);
export const tuple = (...items: Buffer[]) => Buffer.concat([latin1('('), ...items, latin1('t')]);
export const dict = (...items: Buffer[]) => Buffer.concat([latin1('}('), ...items, latin1('u')]);
export const reduce = (callee: Buffer, ...args: Buffer[]) =>
  Buffer.concat([callee, tuple(...args), latin1('R')]);

export const orderedDict = () => reduce(global('collections', 'OrderedDict'));

export interface StorageParts {
  type?: string;
  key?: string;
  count?: number;
}

export function storage({ type = 'FloatStorage', key = '0', count = 4 }: StorageParts = {}) {
  const id = [text('storage'), global('torch', type), text(key), text('cpu'), int(count)];
  return Buffer.concat([tuple(...id), latin1('Q')]);
}

export interface TensorParts extends StorageParts {
  offset?: number;
  shape?: number[];
  strides?: number[];
}

/** A view of the storage '0', which has 4 numbers; by default all of it. */
export function tensor({ offset = 0, shape = [4], strides = [1], ...of }: TensorParts = {}) {
  return reduce(
    global('torch._utils', '_rebuild_tensor_v2'),
    storage(of),
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    latin1('\x89'),
    orderedDict(),
  );
}

/** A whole pickle. */
export const pickle = (...code: Buffer[]) =>
  Buffer.concat([latin1('\x80\x02'), ...code, latin1('.')]);
