/**
 * The names that pickles of tensors use, and what they describe: `torch.FloatStorage` and its like,
 * `torch._utils._rebuild_tensor_v2`, `torch._utils._rebuild_parameter`, `collections.OrderedDict`.
 * They are names only; no name that a file has is looked up anywhere else than here.
 */
import { quote } from '../../files/quote.ts';
import { type NumberType, numberTypes } from '../number-type.ts';
import { spanOf } from '../read-numbers.ts';
import {
  describeValue,
  PickleDict,
  type PickleGlobal,
  PickleRefusal,
  PickleTuple,
  type PickleValue,
  type Storage,
  type TensorView,
} from './pickle-values.ts';

const storageTypes = new Map<string, NumberType>([
  ['torch.FloatStorage', numberTypes.float32],
  ['torch.HalfStorage', numberTypes.float16],
  ['torch.BFloat16Storage', numberTypes.bfloat16],
  ['torch.DoubleStorage', numberTypes.float64],
  ['torch.LongStorage', numberTypes.int64],
  ['torch.IntStorage', numberTypes.int32],
  ['torch.ShortStorage', numberTypes.int16],
  ['torch.CharStorage', numberTypes.int8],
  ['torch.ByteStorage', numberTypes.uint8],
  ['torch.BoolStorage', numberTypes.bool],
]);

type Rebuild = (args: readonly PickleValue[]) => PickleValue;

const rebuilds = new Map<string, Rebuild>([
  ['collections.OrderedDict', rebuildOrderedDict],
  ['torch._utils._rebuild_tensor_v2', rebuildTensor],
  ['torch._utils._rebuild_parameter', rebuildParameter],
]);

const dimensionsMax = 32;

/** @param name with its module. @throws PickleRefusal when it is none of these. */
export function globalOf(name: string): PickleGlobal {
  if (storageTypes.has(name) || rebuilds.has(name)) return { kind: 'global', name };
  throw new PickleRefusal(`names ${quote(name)}, which is no part of a tensor`);
}

/** `('storage', type, key, location, count)`; the location is a device, and of no interest. */
export function storageOf(id: PickleValue): Storage {
  const [tag, type, key, location, count, ...rest] = id instanceof PickleTuple ? id.items : [];
  const numberType = isGlobal(type) ? storageTypes.get(type.name) : undefined;
  const isRight =
    tag === 'storage' && typeof location === 'string' && isCount(count) && rest.length === 0;
  if (!isRight || !numberType || typeof key !== 'string') {
    throw new PickleRefusal(`refers to ${describeValue(id)} outside of it that is no storage`);
  }
  return { kind: 'storage', key, numberType, count };
}

/** What Python would get by calling `callee(*args)`. @throws PickleRefusal for any other callee. */
export function applyGlobal(callee: PickleValue, args: PickleValue): PickleValue {
  const rebuild = isGlobal(callee) ? rebuilds.get(callee.name) : undefined;
  if (!rebuild || !(args instanceof PickleTuple)) {
    throw new PickleRefusal(`calls ${describeValue(callee)} (REDUCE)`);
  }
  return rebuild(args.items);
}

function rebuildOrderedDict(args: readonly PickleValue[]): PickleValue {
  if (args.length > 0) throw new PickleRefusal('makes an OrderedDict of something else');
  return new PickleDict(true);
}

/** `(storage, offset, shape, strides, requires_grad, backward_hooks)` */
function rebuildTensor(args: readonly PickleValue[]): TensorView {
  const [storage, offset, shape, strides, requiresGrad, hooks, ...rest] = args;
  const isRight =
    isStorage(storage) &&
    isCount(offset) &&
    isCounts(shape) &&
    isCounts(strides) &&
    shape.items.length === strides.items.length &&
    typeof requiresGrad === 'boolean' &&
    hooks instanceof PickleDict &&
    rest.length === 0;
  if (!isRight) throw new PickleRefusal('has a tensor that is described in an unknown way');
  const view = { storage, offset, shape: shape.items, strides: strides.items };
  checkExtent(view);
  return { kind: 'tensor', ...view };
}

/** `(tensor, requires_grad, backward_hooks)` */
function rebuildParameter(args: readonly PickleValue[]): TensorView {
  const [tensor, requiresGrad, hooks, ...rest] = args;
  const isRight =
    isTensor(tensor) &&
    typeof requiresGrad === 'boolean' &&
    hooks instanceof PickleDict &&
    rest.length === 0;
  if (!isRight) throw new PickleRefusal('has a parameter that is described in an unknown way');
  return tensor;
}

/** All its numbers are in the storage, and it has no more of them than lie there. */
function checkExtent({ storage, offset, shape, strides }: Omit<TensorView, 'kind'>): void {
  const span = spanOf(shape, strides);
  const count = shape.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count) || !(offset + span <= storage.count)) {
    throw new PickleRefusal(
      `has a tensor of shape [${shape}] that reaches beyond the ${storage.count} numbers of its storage`,
    );
  }
  if (count > span) {
    throw new PickleRefusal(
      `has a tensor of shape [${shape}] that repeats ${span} numbers: save it with .contiguous()`,
    );
  }
}

function isGlobal(value: PickleValue | undefined): value is PickleGlobal {
  return isTagged(value) && value.kind === 'global';
}

function isStorage(value: PickleValue | undefined): value is Storage {
  return isTagged(value) && value.kind === 'storage';
}

function isTensor(value: PickleValue | undefined): value is TensorView {
  return isTagged(value) && value.kind === 'tensor';
}

function isTagged(value: PickleValue | undefined): value is PickleGlobal | Storage | TensorView {
  return typeof value === 'object' && value !== null && 'kind' in value;
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isCounts(
  value: PickleValue | undefined,
): value is PickleTuple & { items: readonly number[] } {
  return (
    value instanceof PickleTuple &&
    value.items.length <= dimensionsMax &&
    value.items.every(isCount)
  );
}
