/**
 * What a pickle may describe here: plain data, storages, and tensors over them. Whatever was put
 * into something else is complete: it cannot be changed afterwards, and so nothing can come to
 * contain itself.
 */
import { quote } from '../../files/quote.ts';
import type { NumberType } from '../number-type.ts';

export type PickleValue =
  | null
  | boolean
  | number
  | string
  | PickleTuple
  | PickleList
  | PickleDict
  | PickleGlobal
  | Storage
  | TensorView;

/** A name that stands for a class or a function of Python's; nothing is behind it. */
export interface PickleGlobal {
  kind: 'global';
  name: string;
}

/** Numbers in a file of their own, of which tensors are views. */
export interface Storage {
  kind: 'storage';
  key: string;
  numberType: NumberType;
  /** How many numbers it has. */
  count: number;
}

export interface TensorView {
  kind: 'tensor';
  storage: Storage;
  /** Where it begins in the storage, in numbers. */
  offset: number;
  shape: readonly number[];
  /** In numbers, at least 0. */
  strides: readonly number[];
}

/** Of a state_dict it is 4. */
const depthMax = 32;

/** What is wrong with a pickle; the sentence goes on after the file's name. */
export class PickleRefusal extends Error {
  override readonly name = 'PickleRefusal';
}

abstract class Container {
  #depth = 1;
  #isComplete = false;

  /** @throws PickleRefusal when this is part of something, or would become part of itself. */
  protected hold(value: PickleValue): void {
    if (this.#isComplete || Object.is(value, this)) {
      throw new PickleRefusal('changes what is already part of something else, or of itself');
    }
    if (!(value instanceof Container)) return;
    value.#isComplete = true;
    this.#depth = Math.max(this.#depth, value.#depth + 1);
    if (this.#depth > depthMax) throw new PickleRefusal(`is nested more than ${depthMax} deep`);
  }
}

export class PickleTuple extends Container {
  readonly items: readonly PickleValue[];

  constructor(items: readonly PickleValue[]) {
    super();
    for (const item of items) this.hold(item);
    this.items = items;
  }
}

export class PickleList extends Container {
  readonly #items: PickleValue[] = [];

  get items(): readonly PickleValue[] {
    return this.#items;
  }

  append(item: PickleValue): void {
    this.hold(item);
    this.#items.push(item);
  }
}

export class PickleDict extends Container {
  /** An OrderedDict. */
  readonly isOrdered: boolean;
  readonly #entries = new Map<string | number, PickleValue>();

  constructor(isOrdered = false) {
    super();
    this.isOrdered = isOrdered;
  }

  get entries(): ReadonlyMap<string | number, PickleValue> {
    return this.#entries;
  }

  set(key: PickleValue, value: PickleValue): void {
    if (typeof key !== 'string' && typeof key !== 'number') {
      throw new PickleRefusal(`has a dictionary with ${describeValue(key)} for a key`);
    }
    if (this.#entries.has(key)) {
      throw new PickleRefusal(`has a dictionary with two entries ${quote(String(key))}`);
    }
    this.hold(value);
    this.#entries.set(key, value);
  }
}

/** For messages; of containers, only their kind. */
export function describeValue(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (typeof value === 'string') return `the text ${quote(value)}`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof PickleTuple) return 'a tuple';
  if (value instanceof PickleList) return 'a list';
  if (value instanceof PickleDict) return value.isOrdered ? 'an OrderedDict' : 'a dictionary';
  return value.kind === 'global' ? quote(value.name) : `a ${value.kind}`;
}
