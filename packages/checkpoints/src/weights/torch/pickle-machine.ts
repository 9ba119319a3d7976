/**
 * Reads pickles that describe tensors, and nothing else. A pickle is a program for a small stack
 * machine (CPython's Lib/pickletools.py documents its instructions), and Python's runs whatever
 * function it names. This one has no functions to run: it knows the instructions of which plain
 * data is made, of protocols 2 to 4, and the few names in `torch-names.ts`. Anything else ends it.
 */
import { quote } from '../../files/quote.ts';
import { PickleBytes } from './pickle-bytes.ts';
import {
  describeValue,
  PickleDict,
  PickleList,
  PickleRefusal,
  PickleTuple,
  type PickleValue,
} from './pickle-values.ts';
import { applyGlobal, globalOf, storageOf } from './torch-names.ts';

/** Some 30 describe one tensor. It bounds memory too: no instruction makes more than one value. */
const instructionsMax = 1_000_000;

/** @throws PickleRefusal that says what is in the pickle and should not be. */
export function readPickle(bytes: Uint8Array): PickleValue {
  const machine = new Machine(new PickleBytes(bytes));
  for (let count = 0; count < instructionsMax; count++) {
    if (machine.step()) return machine.result();
  }
  throw new PickleRefusal(`has more than ${instructionsMax} instructions`);
}

class Machine {
  readonly #bytes: PickleBytes;
  readonly #stack: PickleValue[] = [];
  /** Heights of the stack at which groups begin. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(bytes: PickleBytes) {
    this.#bytes = bytes;
  }

  result(): PickleValue {
    const value = this.#pop();
    if (this.#stack.length > 0) throw new PickleRefusal('ends with more than one value');
    return value;
  }

  /** Whether that was the last instruction. */
  step(): boolean {
    const bytes = this.#bytes;
    const code = bytes.uint8();
    switch (code) {
      case 0x80: // PROTO
        this.#checkProtocol(bytes.uint8());
        break;
      case 0x95: // FRAME: of how many bytes the next instructions are
        bytes.uint64();
        break;
      case 0x2e: // STOP
        return true;
      case 0x4e: // NONE
        this.#push(null);
        break;
      case 0x88: // NEWTRUE
        this.#push(true);
        break;
      case 0x89: // NEWFALSE
        this.#push(false);
        break;
      case 0x4a: // BININT
        this.#push(bytes.int32());
        break;
      case 0x4b: // BININT1
        this.#push(bytes.uint8());
        break;
      case 0x4d: // BININT2
        this.#push(bytes.uint16());
        break;
      case 0x8a: // LONG1
        this.#push(bytes.signed(bytes.uint8()));
        break;
      case 0x47: // BINFLOAT
        this.#push(bytes.float64());
        break;
      case 0x8c: // SHORT_BINUNICODE
        this.#push(bytes.text(bytes.uint8()));
        break;
      case 0x58: // BINUNICODE
        this.#push(bytes.text(bytes.uint32()));
        break;
      case 0x8d: // BINUNICODE8
        this.#push(bytes.text(bytes.uint64()));
        break;
      case 0x28: // MARK
        this.#marks.push(this.#stack.length);
        break;
      case 0x29: // EMPTY_TUPLE
        this.#push(new PickleTuple([]));
        break;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        this.#push(new PickleTuple(this.#popSome(code - 0x84)));
        break;
      case 0x74: // TUPLE
        this.#push(new PickleTuple(this.#popGroup()));
        break;
      case 0x5d: // EMPTY_LIST
        this.#push(new PickleList());
        break;
      case 0x61: // APPEND
        this.#append([this.#pop()]);
        break;
      case 0x65: // APPENDS
        this.#append(this.#popGroup());
        break;
      case 0x7d: // EMPTY_DICT
        this.#push(new PickleDict());
        break;
      case 0x73: // SETITEM
        this.#setItems(this.#popSome(2));
        break;
      case 0x75: // SETITEMS
        this.#setItems(this.#popGroup());
        break;
      case 0x71: // BINPUT
        this.#memo.set(bytes.uint8(), this.#top());
        break;
      case 0x72: // LONG_BINPUT
        this.#memo.set(bytes.uint32(), this.#top());
        break;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        break;
      case 0x68: // BINGET
        this.#push(this.#recall(bytes.uint8()));
        break;
      case 0x6a: // LONG_BINGET
        this.#push(this.#recall(bytes.uint32()));
        break;
      case 0x63: // GLOBAL
        this.#push(globalOf(`${bytes.line()}.${bytes.line()}`));
        break;
      case 0x93: // STACK_GLOBAL
        this.#push(globalOf(this.#popSome(2).map(textOf).join('.')));
        break;
      case 0x51: // BINPERSID
        this.#push(storageOf(this.#pop()));
        break;
      case 0x52: // REDUCE: calls a function, in Python
        this.#push(applyGlobal(...(this.#popSome(2) as [PickleValue, PickleValue])));
        break;
      case 0x62: // BUILD: sets attributes, in Python
        this.#build(this.#pop());
        break;
      default:
        this.#refuse(code);
    }
    return false;
  }

  #checkProtocol(protocol: number): void {
    if (protocol >= 2 && protocol <= 4) return;
    throw new PickleRefusal(`is of pickle protocol ${protocol}; 2 to 4 are read`);
  }

  #push(value: PickleValue): void {
    this.#stack.push(value);
  }

  #top(): PickleValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw new PickleRefusal('is malformed');
    return this.#stack.at(-1) as PickleValue;
  }

  #pop(): PickleValue {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #popSome(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.#pop()).reverse();
  }

  #popGroup(): PickleValue[] {
    const begin = this.#marks.pop();
    if (begin === undefined) throw new PickleRefusal('is malformed');
    return this.#stack.splice(begin);
  }

  #recall(index: number): PickleValue {
    const value = this.#memo.get(index);
    if (value === undefined) throw new PickleRefusal(`recalls value ${index}, which it never had`);
    return value;
  }

  #append(items: PickleValue[]): void {
    const list = this.#top();
    if (!(list instanceof PickleList)) {
      throw new PickleRefusal(`appends to ${describeValue(list)}`);
    }
    for (const item of items) list.append(item);
  }

  #setItems(items: PickleValue[]): void {
    const dict = this.#top();
    if (!(dict instanceof PickleDict) || items.length % 2 !== 0) {
      throw new PickleRefusal(`sets items of ${describeValue(dict)}`);
    }
    for (let i = 0; i < items.length; i += 2) {
      dict.set(items[i] as PickleValue, items[i + 1] as PickleValue);
    }
  }

  /** The one attribute that state_dict() has: versions of modules, which nothing here needs. */
  #build(state: PickleValue): void {
    const target = this.#top();
    const isMetadata =
      target instanceof PickleDict &&
      target.isOrdered &&
      state instanceof PickleDict &&
      state.entries.size === 1 &&
      state.entries.get('_metadata') instanceof PickleDict;
    if (!isMetadata) throw new PickleRefusal(`sets attributes of ${describeValue(target)} (BUILD)`);
  }

  #refuse(code: number): never {
    if (code === 0x69) {
      throw new PickleRefusal(
        `calls ${quote(`${this.#bytes.line()}.${this.#bytes.line()}`)} (INST)`,
      );
    }
    const name = refusedInstructions.get(code) ?? `0x${code.toString(16).padStart(2, '0')}`;
    throw new PickleRefusal(`has the instruction ${name}`);
  }
}

function textOf(value: PickleValue): string {
  if (typeof value === 'string') return value;
  throw new PickleRefusal(`names ${describeValue(value)} as if it were a function`);
}

/** Those that somebody who looks into a refused file may want to see by name. */
const refusedInstructions = new Map([
  [0x6f, 'OBJ'],
  [0x81, 'NEWOBJ'],
  [0x92, 'NEWOBJ_EX'],
  [0x82, 'EXT1'],
  [0x83, 'EXT2'],
  [0x84, 'EXT4'],
  [0x50, 'PERSID'],
  [0x8b, 'LONG4'],
  [0x49, 'INT'],
  [0x4c, 'LONG'],
  [0x46, 'FLOAT'],
  [0x53, 'STRING'],
  [0x54, 'BINSTRING'],
  [0x55, 'SHORT_BINSTRING'],
  [0x42, 'BINBYTES'],
  [0x43, 'SHORT_BINBYTES'],
  [0x8e, 'BINBYTES8'],
  [0x96, 'BYTEARRAY8'],
  [0x8f, 'EMPTY_SET'],
  [0x91, 'FROZENSET'],
  [0x30, 'POP'],
  [0x31, 'POP_MARK'],
  [0x32, 'DUP'],
]);
