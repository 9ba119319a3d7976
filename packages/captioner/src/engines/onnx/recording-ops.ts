/**
 * `TensorOps` that computes nothing: it writes down, as an ONNX graph, what a model would compute.
 * The graph then runs without the model, for any number of images.
 *
 * Operators are those that ONNX Runtime fuses: convolutions with their padding and a Clip behind
 * them, Gemm with its bias. Kernels are put in ONNX's order when recording.
 */
import type { Activation, ConvolutionOptions, TensorOps } from '../../tensor-ops.ts';
import type { WeightArrays } from '../../weights.ts';
import { GraphBuilder, type GraphValue } from './graph-builder.ts';
import type { ElementType, OnnxGraph } from './onnx-model.ts';
import {
  broadcast,
  type ComputedTensor,
  type ConstantTensor,
  permute,
  type RecordedShape,
  type RecordedTensor,
  unknownSize,
} from './recorded-tensor.ts';
import { RuntimeSizes } from './runtime-size.ts';

const toChannelsFirst = [0, 3, 1, 2];
const toChannelsLast = [0, 2, 3, 1];

export class RecordingOps implements TensorOps<RecordedTensor> {
  readonly #graph = new GraphBuilder();
  readonly #sizes = new RuntimeSizes();
  #constants = 0;

  // What a graph is given and what it returns.

  /** `shape` starts with the name of the dimension that differs from run to run. */
  input(name: string, type: ElementType, shape: readonly [string, ...number[]]): ComputedTensor {
    const [, ...known] = shape;
    return computed(this.#graph.input(name, type, shape), [unknownSize, ...known]);
  }

  /** A row of numbers that is the same for every image. */
  rowInput(name: string, columns: number): ComputedTensor {
    return computed(this.#graph.input(name, 'float32', [1, columns]), [1, columns]);
  }

  /** A size that is told at every run; the number stands for it in shapes. */
  sizeInput(name: string): number {
    return this.#sizes.standIn(this.#graph.input(name, 'int64', [1]));
  }

  weights(arrays: WeightArrays): Map<string, RecordedTensor> {
    return new Map(
      [...arrays].map(([name, array]) => [name, { kind: 'constant', name, ...array }]),
    );
  }

  /** `dimension` names the first of the result's dimensions, where it is not known. */
  output(name: string, x: RecordedTensor, dimension: string): void {
    const shape = x.shape.map((size, axis) =>
      size === unknownSize ? (axis === 0 ? dimension : `${name}.${axis}`) : size,
    );
    this.#graph.output(name, this.#asSeen(x), shape);
  }

  finish(name: string): OnnxGraph {
    return this.#graph.finish(name);
  }

  // TensorOps.

  constant(data: Float32Array, shape: readonly number[]): ConstantTensor {
    return { kind: 'constant', name: `constant.${this.#constants++}`, data, shape };
  }

  zeros(rowsOf: RecordedTensor, columns: number): RecordedTensor {
    const rows = this.#graph.node('Shape', [this.#asSeen(rowsOf)], { start: 0, end: 1 }, 'int64');
    const shape = this.#graph.node('Concat', [rows, this.#graph.int64([columns])], { axis: 0 });
    return computed(this.#graph.node('ConstantOfShape', [shape], {}, 'float32'), [
      rowsOf.shape[0],
      columns,
    ]);
  }

  conv2d(
    x: RecordedTensor,
    kernel: RecordedTensor,
    options: ConvolutionOptions<RecordedTensor>,
  ): RecordedTensor {
    return this.#convolve(x, this.#permuted(kernel, [3, 2, 0, 1]), 1, options); // [O,I,h,w]
  }

  depthwiseConv2d(
    x: RecordedTensor,
    kernel: RecordedTensor,
    options: ConvolutionOptions<RecordedTensor>,
  ): RecordedTensor {
    const perChannel = this.#permuted(kernel, [2, 3, 0, 1]); // [C,1,h,w]
    return this.#convolve(x, perChannel, perChannel.shape[0] as number, options);
  }

  dense(
    x: RecordedTensor,
    kernel: RecordedTensor,
    bias?: RecordedTensor,
    activation?: Activation,
  ): RecordedTensor {
    const shape = [...x.shape.slice(0, -1), kernel.shape[1]];
    const operands = [this.#asSeen(x), this.#asSeen(kernel)] as const;
    const product = (): GraphValue => {
      if (!bias) return this.#graph.node('MatMul', operands);
      if (shape.length === 2) return this.#graph.node('Gemm', [...operands, this.#asSeen(bias)]);
      return this.#graph.node('Add', [this.#graph.node('MatMul', operands), this.#asSeen(bias)]);
    };
    return computed(this.#activate(product(), activation), shape);
  }

  matMul(a: RecordedTensor, b: RecordedTensor): RecordedTensor {
    const product = this.#graph.node('MatMul', [this.#asSeen(a), this.#asSeen(b)]);
    return computed(product, [a.shape[0] ?? b.shape[0], a.shape[1], b.shape[2]]);
  }

  add(a: RecordedTensor, b: RecordedTensor): RecordedTensor {
    return this.#elementwise('Add', a, b);
  }

  mul(a: RecordedTensor, b: RecordedTensor): RecordedTensor {
    return this.#elementwise('Mul', a, b);
  }

  tanh(x: RecordedTensor): RecordedTensor {
    return computed(this.#activate(this.#asSeen(x), 'tanh'), x.shape);
  }

  sigmoid(x: RecordedTensor): RecordedTensor {
    return computed(this.#activate(this.#asSeen(x), 'sigmoid'), x.shape);
  }

  softmax(x: RecordedTensor): RecordedTensor {
    return computed(this.#graph.node('Softmax', [this.#asSeen(x)], { axis: -1 }), x.shape);
  }

  logSoftmax(x: RecordedTensor): RecordedTensor {
    return computed(this.#graph.node('LogSoftmax', [this.#asSeen(x)], { axis: -1 }), x.shape);
  }

  mean(x: RecordedTensor, axis: number): RecordedTensor {
    const operands = [this.#asSeen(x), this.#graph.int64([axis])] as const;
    const mean = this.#graph.node('ReduceMean', operands, { keepdims: 0 });
    return computed(
      mean,
      x.shape.filter((_, index) => index !== axis),
    );
  }

  reshape(x: RecordedTensor, shape: readonly number[]): RecordedTensor {
    const reshaped = this.#graph.node('Reshape', [this.#asSeen(x), this.#shapeValue(shape)]);
    return computed(
      reshaped,
      shape.map((size) => (size === -1 || this.#sizes.find(size) ? unknownSize : size)),
    );
  }

  transpose(x: RecordedTensor, permutation: readonly number[]): RecordedTensor {
    if (x.kind === 'constant') return this.#permuted(x, permutation);
    const transposed = this.#graph.node('Transpose', [this.#asSeen(x)], { perm: permutation });
    return computed(
      transposed,
      permutation.map((axis) => x.shape[axis]),
    );
  }

  split(x: RecordedTensor, count: number): RecordedTensor[] {
    const shape = [...x.shape.slice(0, -1), (x.shape.at(-1) as number) / count];
    const types = new Array<ElementType>(count).fill('float32');
    const attributes = { axis: -1, num_outputs: count };
    return this.#graph
      .nodes('Split', [this.#asSeen(x)], attributes, types)
      .map((piece) => computed(piece, shape));
  }

  gather(x: RecordedTensor, indices: RecordedTensor): RecordedTensor {
    const rows = this.#graph.node('Gather', [this.#asSeen(x), this.#asSeen(indices)], { axis: 0 });
    return computed(rows, [indices.shape[0], ...x.shape.slice(1)]);
  }

  /** ONNX leaves it open which of equals comes first; ONNX Runtime takes the lower index. */
  topK(x: RecordedTensor, count: number) {
    const operands = [this.#asSeen(x), this.#shapeValue([count])];
    const attributes = { axis: -1, largest: 1, sorted: 1 };
    const [values, indices] = this.#graph.nodes('TopK', operands, attributes, [
      'float32',
      'int64',
    ]) as [GraphValue, GraphValue];
    const shape = [x.shape[0], this.#sizes.find(count) ? unknownSize : count];
    return {
      values: computed(values, shape),
      indices: this.cast(computed(indices, shape), 'int32'),
    };
  }

  /** Not of `TensorOps`: models compute in float32. */
  cast(x: ComputedTensor, type: keyof typeof castTargets): ComputedTensor {
    if (x.value.type === type) return x;
    return { ...x, value: this.#graph.node('Cast', [x.value], { to: castTargets[type] }, type) };
  }

  /** The same tensor, held as convolutions want it. */
  channelsFirst(x: RecordedTensor): ComputedTensor {
    if (x.kind === 'computed' && x.order === 'channels first') return x;
    const value = this.#graph.node('Transpose', [this.#asSeen(x)], { perm: toChannelsFirst });
    return { kind: 'computed', value, shape: x.shape, order: 'channels first' };
  }

  #convolve(
    x: RecordedTensor,
    kernel: ConstantTensor,
    group: number,
    { bias, stride = 1, padding = 0, activation }: ConvolutionOptions<RecordedTensor>,
  ): RecordedTensor {
    const operands = [
      this.channelsFirst(x).value,
      this.#asSeen(kernel),
      this.#asSeen(bias),
    ] as const;
    const [channels, , ...window] = kernel.shape as [number, number, number, number];
    const convolved = this.#graph.node('Conv', operands, {
      kernel_shape: window,
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
      group,
    });
    const [batch, ...image] = x.shape;
    const lengths = [0, 1].map((axis) => {
      const length = image[axis];
      const reach = 2 * padding - (window[axis] as number);
      return length === unknownSize ? unknownSize : Math.floor((length + reach) / stride) + 1;
    });
    return {
      kind: 'computed',
      value: this.#activate(convolved, activation),
      shape: [batch, ...lengths, channels],
      order: 'channels first',
    };
  }

  #activate(x: GraphValue, activation: Activation | undefined): GraphValue {
    switch (activation) {
      case undefined:
        return x;
      case 'relu':
        return this.#graph.node('Relu', [x]);
      case 'relu6': {
        const [from, to] = [0, 6].map((limit) =>
          this.#graph.float32(`limit.${limit}`, Float32Array.of(limit), []),
        ) as [GraphValue, GraphValue];
        return this.#graph.node('Clip', [x, from, to]);
      }
      case 'tanh':
        return this.#graph.node('Tanh', [x]);
      case 'sigmoid':
        return this.#graph.node('Sigmoid', [x]);
    }
  }

  #elementwise(operator: 'Add' | 'Mul', a: RecordedTensor, b: RecordedTensor): RecordedTensor {
    const shape = broadcast(a.shape, b.shape);
    const inImages = [a, b].some((x) => x.kind === 'computed' && x.order === 'channels first');
    if (inImages) {
      const operands = [this.#besideImages(a), this.#besideImages(b)] as const;
      const value = this.#graph.node(operator, operands);
      return { kind: 'computed', value, shape, order: 'channels first' };
    }
    return computed(this.#graph.node(operator, [this.#asSeen(a), this.#asSeen(b)]), shape);
  }

  /** An operand of another that holds its channels first: as it is, or with axes to match. */
  #besideImages(x: RecordedTensor): GraphValue {
    if (x.shape.length === 4) return this.channelsFirst(x).value;
    if (x.kind === 'computed') throw new Error(`images and [${x.shape}] cannot be combined`);
    const four = [...[1, 1, 1, 1].slice(x.shape.length), ...x.shape];
    return this.#asSeen(this.#permuted({ ...x, shape: four }, toChannelsFirst));
  }

  /** The value with its axes in the order in which models see them. */
  #asSeen(x: RecordedTensor): GraphValue {
    if (x.kind === 'constant') return this.#graph.float32(x.name, x.data, x.shape);
    if (x.order === 'as seen') return x.value;
    return this.#graph.node('Transpose', [x.value], { perm: toChannelsLast });
  }

  #permuted(x: RecordedTensor, permutation: readonly number[]): ConstantTensor {
    if (x.kind !== 'constant') throw new Error('kernels are constants in a recorded model');
    return {
      kind: 'constant',
      name: `${x.name}.${permutation.join('')}`,
      ...permute(x, permutation),
    };
  }

  /** `[rank]` int64: put together at every run where it contains a size that is told then. */
  #shapeValue(shape: readonly number[]): GraphValue {
    if (!shape.some((size) => this.#sizes.find(size))) return this.#graph.int64(shape);
    const sizes = shape.map((size) => {
      const found = this.#sizes.find(size);
      if (!found) return this.#graph.int64([size]);
      if (found.factor === 1) return found.value;
      return this.#graph.node('Mul', [found.value, this.#graph.int64([found.factor])]);
    });
    const [first, ...others] = sizes as [GraphValue, ...GraphValue[]];
    return others.length === 0
      ? first
      : this.#graph.node('Concat', [first, ...others], { axis: 0 });
  }
}

/** TensorProto.DataType of what values are cast to. */
const castTargets = { float32: 1, int32: 6 } as const;

function computed(value: GraphValue, shape: RecordedShape): ComputedTensor {
  return { kind: 'computed', value, shape, order: 'as seen' };
}
