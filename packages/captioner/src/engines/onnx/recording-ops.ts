/**
 * `TensorOps` that computes nothing: it writes down, as an ONNX graph, what a model would compute.
 * The graph then runs without the model, for any number of images.
 *
 * Operators are those that ONNX Runtime fuses: convolutions with their padding and a Clip behind
 * them, Gemm with its bias. Kernels are put in ONNX's order when recording.
 */
import type { Activation, ConvolutionOptions, TensorOps } from '../../tensor-ops.ts';
import { activate } from './activate.ts';
import type { GraphBuilder, GraphValue } from './graph-builder.ts';
import type { GraphRecorder } from './graph-recorder.ts';
import type { ElementType } from './onnx-model.ts';
import { denseProduct, int8Product, productByRows } from './products.ts';
import {
  broadcast,
  type ConstantTensor,
  computed,
  type RecordedTensor,
  unknownSize,
} from './recorded-tensor.ts';

/** Ends a slice at the end, wherever that is. */
const beyondAll = Number.MAX_SAFE_INTEGER;

export class RecordingOps implements TensorOps<RecordedTensor> {
  readonly #recorder: GraphRecorder;
  readonly #graph: GraphBuilder;
  #constants = 0;

  constructor(recorder: GraphRecorder) {
    this.#recorder = recorder;
    this.#graph = recorder.graph;
  }

  constant(data: Float32Array, shape: readonly number[]): ConstantTensor {
    const name = `constant.${this.#constants++}`;
    return { kind: 'constant', name, shape, values: () => data, isWeight: false };
  }

  zeros(rowsOf: RecordedTensor, row: readonly number[]): RecordedTensor {
    const rows = this.#graph.node(
      'Shape',
      [this.#recorder.asSeen(rowsOf)],
      { start: 0, end: 1 },
      'int64',
    );
    const shape = this.#graph.node('Concat', [rows, this.#graph.int64(row)], { axis: 0 });
    return computed(this.#graph.node('ConstantOfShape', [shape], {}, 'float32'), [
      rowsOf.shape[0],
      // What is empty at the start of a search grows with every word.
      ...row.map((size) => (size === 0 ? unknownSize : size)),
    ]);
  }

  conv2d(
    x: RecordedTensor,
    kernel: RecordedTensor,
    options: ConvolutionOptions<RecordedTensor>,
  ): RecordedTensor {
    return this.#convolve(x, this.#recorder.permuted(kernel, [3, 2, 0, 1]), 1, options); // [O,I,h,w]
  }

  depthwiseConv2d(
    x: RecordedTensor,
    kernel: RecordedTensor,
    options: ConvolutionOptions<RecordedTensor>,
  ): RecordedTensor {
    const perChannel = this.#recorder.permuted(kernel, [2, 3, 0, 1]); // [C,1,h,w]
    return this.#convolve(x, perChannel, perChannel.shape[0] as number, options);
  }

  dense(
    x: RecordedTensor,
    kernel: RecordedTensor,
    bias?: RecordedTensor,
    activation?: Activation,
  ): RecordedTensor {
    const shape = [...x.shape.slice(0, -1), kernel.shape[1]];
    const product = denseProduct(this.#recorder, x, kernel, bias);
    return computed(activate(this.#graph, product, activation), shape);
  }

  denseInt8(
    x: RecordedTensor,
    codes: RecordedTensor,
    scales: RecordedTensor,
    bias?: RecordedTensor,
    activation?: Activation,
  ): RecordedTensor {
    const product = int8Product(this.#recorder, x, codes, scales, bias);
    const shape = [...x.shape.slice(0, -1), codes.shape[1]];
    return computed(activate(this.#graph, product, activation), shape);
  }

  matMul(a: RecordedTensor, b: RecordedTensor, rows?: 'few'): RecordedTensor {
    const operands = [this.#recorder.asSeen(a), this.#recorder.asSeen(b)] as const;
    const product = rows
      ? productByRows(this.#graph, ...operands, a.shape.length)
      : this.#graph.node('MatMul', operands);
    const leading = a.shape.slice(0, -2).map((size, axis) => size ?? b.shape[axis]);
    return computed(product, [...leading, a.shape.at(-2), b.shape.at(-1)]);
  }

  attention(
    q: RecordedTensor,
    k: RecordedTensor,
    v: RecordedTensor,
    heads: number,
  ): RecordedTensor {
    const attributes = { num_heads: heads };
    const seen = this.#graph.runtimeNode('MultiHeadAttention', this.#seen(q, k, v), attributes);
    return computed(seen, q.shape);
  }

  layerNorm(
    x: RecordedTensor,
    scale: RecordedTensor,
    shift: RecordedTensor,
    epsilon: number,
  ): RecordedTensor {
    const attributes = { axis: -1, epsilon: { float: epsilon } };
    const operands = this.#seen(x, scale, shift);
    return computed(this.#graph.node('LayerNormalization', operands, attributes), x.shape);
  }

  add(a: RecordedTensor, b: RecordedTensor): RecordedTensor {
    return this.#elementwise('Add', a, b);
  }

  mul(a: RecordedTensor, b: RecordedTensor): RecordedTensor {
    return this.#elementwise('Mul', a, b);
  }

  tanh(x: RecordedTensor): RecordedTensor {
    return computed(activate(this.#graph, this.#recorder.asSeen(x), 'tanh'), x.shape);
  }

  sigmoid(x: RecordedTensor): RecordedTensor {
    return computed(activate(this.#graph, this.#recorder.asSeen(x), 'sigmoid'), x.shape);
  }

  softmax(x: RecordedTensor): RecordedTensor {
    return computed(this.#graph.node('Softmax', [this.#recorder.asSeen(x)], { axis: -1 }), x.shape);
  }

  logSoftmax(x: RecordedTensor): RecordedTensor {
    return computed(
      this.#graph.node('LogSoftmax', [this.#recorder.asSeen(x)], { axis: -1 }),
      x.shape,
    );
  }

  mean(x: RecordedTensor, axis: number): RecordedTensor {
    const operands = [this.#recorder.asSeen(x), this.#graph.int64([axis])] as const;
    const mean = this.#graph.node('ReduceMean', operands, { keepdims: 0 });
    return computed(
      mean,
      x.shape.filter((_, index) => index !== axis),
    );
  }

  reshape(x: RecordedTensor, shape: readonly number[]): RecordedTensor {
    if (x.kind === 'constant' && !shape.some((size) => this.#recorder.isUnknown(size))) {
      return { ...x, name: `${x.name}.as.${shape.join('x')}`, shape };
    }
    const reshaped = this.#graph.node('Reshape', [
      this.#recorder.asSeen(x),
      this.#recorder.shapeValue(shape),
    ]);
    return computed(
      reshaped,
      shape.map((size) => (this.#recorder.isUnknown(size) ? unknownSize : size)),
    );
  }

  transpose(x: RecordedTensor, permutation: readonly number[]): RecordedTensor {
    if (x.kind === 'constant') return this.#recorder.permuted(x, permutation);
    const transposed = this.#graph.node('Transpose', [this.#recorder.asSeen(x)], {
      perm: permutation,
    });
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
      .nodes('Split', [this.#recorder.asSeen(x)], attributes, types)
      .map((piece) => computed(piece, shape));
  }

  cut(x: RecordedTensor, length: number): [RecordedTensor, RecordedTensor] {
    const size = x.shape.at(-1);
    const piece = (from: number, to: number, pieceSize: number | typeof unknownSize) => {
      const bounds = [[from], [to], [-1]].map((values) => this.#graph.int64(values));
      const sliced = this.#graph.node('Slice', [this.#recorder.asSeen(x), ...bounds]);
      return computed(sliced, [...x.shape.slice(0, -1), pieceSize]);
    };
    const rest = size === unknownSize ? unknownSize : size - length;
    return [piece(0, length, length), piece(length, beyondAll, rest)];
  }

  concat(xs: readonly RecordedTensor[], axis: number): RecordedTensor {
    const [first, ...others] = xs as readonly [RecordedTensor, ...RecordedTensor[]];
    const joined = this.#graph.node('Concat', this.#seen(first, ...others), { axis });
    const along = xs.map(({ shape }) => shape[axis]);
    const total = along.reduce(
      (sum, size) => (sum === unknownSize || size === unknownSize ? unknownSize : sum + size),
      0,
    );
    return computed(
      joined,
      first.shape.map((_, at) =>
        at === axis ? total : xs.map((x) => x.shape[at]).find((size) => size !== unknownSize),
      ),
    );
  }

  gather(x: RecordedTensor, indices: RecordedTensor): RecordedTensor {
    const rows = this.#graph.node(
      'Gather',
      [this.#recorder.asSeen(x), this.#recorder.asSeen(indices)],
      { axis: 0 },
    );
    return computed(rows, [indices.shape[0], ...x.shape.slice(1)]);
  }

  /** ONNX leaves it open which of equals comes first; ONNX Runtime takes the lower index. */
  topK(x: RecordedTensor, count: number) {
    const operands = [this.#recorder.asSeen(x), this.#recorder.shapeValue([count])];
    const attributes = { axis: -1, largest: 1, sorted: 1 };
    const [values, indices] = this.#graph.nodes('TopK', operands, attributes, [
      'float32',
      'int64',
    ]) as [GraphValue, GraphValue];
    const shape = [x.shape[0], this.#recorder.isUnknown(count) ? unknownSize : count];
    return {
      values: computed(values, shape),
      indices: this.#recorder.cast(computed(indices, shape), 'int32'),
    };
  }

  #convolve(
    x: RecordedTensor,
    kernel: ConstantTensor,
    group: number,
    { bias, stride = 1, padding = 0, activation }: ConvolutionOptions<RecordedTensor>,
  ): RecordedTensor {
    const operands = [
      this.#recorder.channelsFirst(x).value,
      this.#recorder.asSeen(kernel),
      this.#recorder.asSeen(bias),
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
      value: activate(this.#graph, convolved, activation),
      shape: [batch, ...lengths, channels],
      order: 'channels first',
    };
  }

  #seen(...xs: readonly [RecordedTensor, ...RecordedTensor[]]): [GraphValue, ...GraphValue[]] {
    return xs.map((x) => this.#recorder.asSeen(x)) as [GraphValue, ...GraphValue[]];
  }

  #elementwise(operator: 'Add' | 'Mul', a: RecordedTensor, b: RecordedTensor): RecordedTensor {
    const shape = broadcast(a.shape, b.shape);
    const inImages = [a, b].some((x) => x.kind === 'computed' && x.order === 'channels first');
    if (inImages) {
      const operands = [this.#recorder.besideImages(a), this.#recorder.besideImages(b)] as const;
      const value = this.#graph.node(operator, operands);
      return { kind: 'computed', value, shape, order: 'channels first' };
    }
    return computed(
      this.#graph.node(operator, [this.#recorder.asSeen(a), this.#recorder.asSeen(b)]),
      shape,
    );
  }
}
