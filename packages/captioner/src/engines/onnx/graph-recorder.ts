/**
 * The graph that a model leaves behind, as far as it is written: what it is given and returns, and
 * how tensors enter it, in the order of axes that an operation wants.
 */
import type { WeightArrays, WeightType } from '../../weights.ts';
import { castTargets, GraphBuilder, type GraphValue } from './graph-builder.ts';
import type { ElementType, OnnxGraph } from './onnx-model.ts';
import {
  type ComputedTensor,
  type ConstantTensor,
  computed,
  permute,
  type RecordedTensor,
  unknownSize,
} from './recorded-tensor.ts';
import { RuntimeSizes } from './runtime-size.ts';

const toChannelsFirst = [0, 3, 1, 2];
const toChannelsLast = [0, 2, 3, 1];

export class GraphRecorder {
  readonly graph: GraphBuilder;
  readonly #sizes = new RuntimeSizes();

  constructor(weightType?: WeightType) {
    this.graph = new GraphBuilder(weightType);
  }

  /** Strings in `shape` name dimensions that differ from run to run. */
  input(name: string, type: ElementType, shape: readonly (string | number)[]): ComputedTensor {
    const known = shape.map((size) => (typeof size === 'number' ? size : unknownSize));
    return computed(this.graph.input(name, type, shape), known);
  }

  /** `[1,columns]`: the same for every image. */
  rowInput(name: string, columns: number): ComputedTensor {
    return computed(this.graph.input(name, 'float32', [1, columns]), [1, columns]);
  }

  /** A size that is told at every run; the number stands for it in shapes. */
  sizeInput(name: string): number {
    return this.#sizes.standIn(this.graph.input(name, 'int64', [1]));
  }

  weights(arrays: WeightArrays): Map<string, RecordedTensor> {
    return new Map(
      [...arrays].map(([name, { shape, data, codes }]) => [
        name,
        { kind: 'constant', name, shape, values: () => data, isWeight: true, codes },
      ]),
    );
  }

  /** `dimension` names the first of the result's dimensions, where it is not known. */
  output(name: string, x: RecordedTensor, dimension: string): void {
    const shape = x.shape.map((size, axis) =>
      size === unknownSize ? (axis === 0 ? dimension : `${name}.${axis}`) : size,
    );
    this.graph.output(name, this.asSeen(x), shape);
  }

  finish(name: string): OnnxGraph {
    return this.graph.finish(name);
  }

  /** The value with its axes in the order in which models see them. */
  asSeen(x: RecordedTensor): GraphValue {
    if (x.kind === 'constant') return this.graph.constant(x);
    if (x.order === 'as seen') return x.value;
    return this.graph.node('Transpose', [x.value], { perm: toChannelsLast });
  }

  /** The same images, held as convolutions want them. */
  channelsFirst(x: RecordedTensor): ComputedTensor {
    if (x.kind === 'computed' && x.order === 'channels first') return x;
    const value = this.graph.node('Transpose', [this.asSeen(x)], { perm: toChannelsFirst });
    return { kind: 'computed', value, shape: x.shape, order: 'channels first' };
  }

  /** An operand of images that are held so: as it is, or with axes to match. */
  besideImages(x: RecordedTensor): GraphValue {
    if (x.shape.length === 4) return this.channelsFirst(x).value;
    if (x.kind === 'computed') throw new Error(`images and [${x.shape}] cannot be combined`);
    const four = [...[1, 1, 1, 1].slice(x.shape.length), ...x.shape];
    return this.asSeen(permute({ ...x, shape: four }, toChannelsFirst));
  }

  permuted(x: RecordedTensor, permutation: readonly number[]): ConstantTensor {
    if (x.kind !== 'constant') throw new Error('kernels are constants in a recorded model');
    return permute(x, permutation);
  }

  cast(x: RecordedTensor, type: keyof typeof castTargets): ComputedTensor {
    const own = x.kind === 'computed' ? x : computed(this.asSeen(x), x.shape);
    if (own.value.type === type) return own;
    return { ...own, value: this.graph.node('Cast', [own.value], { to: castTargets[type] }, type) };
  }

  /** Whether a number in a shape stands for a size that is told when the graph runs, or is -1. */
  isUnknown(size: number): boolean {
    return size === -1 || this.#sizes.find(size) !== undefined;
  }

  /** `[rank]` int64: put together at every run where it contains a size that is told then. */
  shapeValue(shape: readonly number[]): GraphValue {
    if (!shape.some((size) => this.#sizes.find(size))) return this.graph.int64(shape);
    const sizes = shape.map((size) => {
      const found = this.#sizes.find(size);
      if (!found) return this.graph.int64([size]);
      if (found.factor === 1) return found.value;
      return this.graph.node('Mul', [found.value, this.graph.int64([found.factor])]);
    });
    const [first, ...others] = sizes as [GraphValue, ...GraphValue[]];
    return others.length === 0 ? first : this.graph.node('Concat', [first, ...others], { axis: 0 });
  }
}
