/**
 * `TensorOps` that computes nothing but shapes: whoever goes through a model with it learns how much
 * memory it would take, and how much work it would be, without weights and in no time.
 */
import type { Activation, ConvolutionOptions, TensorOps } from '../tensor-ops.ts';
import { elementCount } from '../weights.ts';

/** A tensor without its numbers. */
export interface Extent {
  shape: readonly number[];
  /** Under which number its values lie; those of a reshaped tensor are the same. Weights have none. */
  values: number | undefined;
}

/** One operation: what it reads, what it writes, and what it needs besides while it computes. */
interface Operation {
  reads: readonly number[];
  writes: readonly number[];
  scratch: number;
}

export class ExtentOps implements TensorOps<Extent> {
  readonly #operations: Operation[] = [];
  /** Numbers in each tensor, by the number under which its values lie. */
  readonly #sizes: number[] = [];

  /** Something that is held before and after: it counts from the first operation to the last. */
  given(shape: readonly number[]): Extent {
    return this.#made(shape);
  }

  weight(shape: readonly number[]): Extent {
    return { shape, values: undefined };
  }

  /**
   * The most numbers that are held at once, when each tensor is forgotten after it was last read.
   *
   * @param held what stays to the end: what was given, and results
   */
  numbersMax(held: readonly Extent[]): number {
    const lastReads = new Map<number, number>();
    for (const [at, { reads, writes }] of this.#operations.entries()) {
      for (const values of [...writes, ...reads]) lastReads.set(values, at);
    }
    for (const { values } of held) {
      if (values !== undefined) lastReads.set(values, Number.POSITIVE_INFINITY);
    }
    const written = new Set(this.#operations.flatMap(({ writes }) => writes));
    let now = this.#sizes.reduce((sum, size, values) => sum + (written.has(values) ? 0 : size), 0);
    let most = now;
    for (const [at, { reads, writes, scratch }] of this.#operations.entries()) {
      const sizeOf = (values: number) => this.#sizes[values] as number;
      for (const values of writes) now += sizeOf(values);
      most = Math.max(most, now + scratch);
      for (const values of new Set([...reads, ...writes])) {
        if (lastReads.get(values) === at) now -= sizeOf(values);
      }
    }
    return most;
  }

  constant(_values: Float32Array, shape: readonly number[]): Extent {
    return this.weight(shape);
  }

  zeros({ shape: [rows = 0] }: Extent, row: readonly number[]): Extent {
    return this.#operation([], [rows, ...row]);
  }

  conv2d(x: Extent, kernel: Extent, options: ConvolutionOptions<Extent>): Extent {
    return this.#convolution(x, kernel, kernel.shape[3] as number, options);
  }

  depthwiseConv2d(x: Extent, kernel: Extent, options: ConvolutionOptions<Extent>): Extent {
    return this.#convolution(x, kernel, kernel.shape[2] as number, options);
  }

  dense(x: Extent, kernel: Extent, _bias?: Extent, activation?: Activation): Extent {
    const product = this.#operation([x], [...x.shape.slice(0, -1), kernel.shape[1] as number]);
    return activation ? this.#operation([product], product.shape) : product;
  }

  denseInt8(
    x: Extent,
    codes: Extent,
    _scales: Extent,
    bias?: Extent,
    activation?: Activation,
  ): Extent {
    return this.dense(x, codes, bias, activation);
  }

  matMul(a: Extent, b: Extent): Extent {
    const leading = a.shape
      .slice(0, -2)
      .map((size, axis) => Math.max(size, b.shape[axis] as number));
    return this.#operation(
      [a, b],
      [...leading, a.shape.at(-2) as number, b.shape.at(-1) as number],
    );
  }

  /** The three operands are brought in order by heads first. */
  attention(q: Extent, k: Extent, v: Extent): Extent {
    const scratch = [q, k, v].reduce((sum, { shape }) => sum + elementCount(shape), 0);
    return this.#operation([q, k, v], q.shape, scratch);
  }

  layerNorm(x: Extent): Extent {
    return this.#operation([x], x.shape);
  }

  add(a: Extent, b: Extent): Extent {
    return this.#elementwise(a, b);
  }

  mul(a: Extent, b: Extent): Extent {
    return this.#elementwise(a, b);
  }

  tanh(x: Extent): Extent {
    return this.#operation([x], x.shape);
  }

  sigmoid(x: Extent): Extent {
    return this.#operation([x], x.shape);
  }

  softmax(x: Extent): Extent {
    return this.#operation([x], x.shape);
  }

  logSoftmax(x: Extent): Extent {
    return this.#operation([x], x.shape);
  }

  mean(x: Extent, axis: number): Extent {
    return this.#operation(
      [x],
      x.shape.filter((_, at) => at !== axis),
    );
  }

  reshape(x: Extent, shape: readonly number[]): Extent {
    const known = elementCount(shape.filter((size) => size !== -1));
    const rest = elementCount(x.shape) / known;
    return { ...x, shape: shape.map((size) => (size === -1 ? rest : size)) };
  }

  transpose(x: Extent, permutation: readonly number[]): Extent {
    return this.#operation(
      [x],
      permutation.map((axis) => x.shape[axis] as number),
    );
  }

  split(x: Extent, count: number): Extent[] {
    const piece = [...x.shape.slice(0, -1), (x.shape.at(-1) as number) / count];
    return Array.from({ length: count }, () => this.#operation([x], piece));
  }

  cut(x: Extent, length: number): [Extent, Extent] {
    const [leading, size] = [x.shape.slice(0, -1), x.shape.at(-1) as number];
    return [
      this.#operation([x], [...leading, length]),
      this.#operation([x], [...leading, size - length]),
    ];
  }

  concat(xs: readonly Extent[], axis: number): Extent {
    const total = xs.reduce((sum, { shape }) => sum + (shape[axis] as number), 0);
    const [{ shape }] = xs as readonly [Extent];
    return this.#operation(
      xs,
      shape.map((size, at) => (at === axis ? total : size)),
    );
  }

  gather(x: Extent, indices: Extent): Extent {
    return this.#operation([x, indices], [...indices.shape, ...x.shape.slice(1)]);
  }

  topK(x: Extent, count: number) {
    const shape = [x.shape[0] as number, count];
    return { values: this.#operation([x], shape), indices: this.#operation([x], shape) };
  }

  #convolution(
    x: Extent,
    kernel: Extent,
    channels: number,
    { stride = 1, padding = 0 }: ConvolutionOptions<Extent>,
  ): Extent {
    const [images, height, width] = x.shape as [number, number, number];
    const [down, across] = kernel.shape as [number, number];
    const steps = (length: number, window: number) =>
      Math.floor((length + 2 * padding - window) / stride) + 1;
    return this.#operation([x], [images, steps(height, down), steps(width, across), channels]);
  }

  #elementwise(a: Extent, b: Extent): Extent {
    const rank = Math.max(a.shape.length, b.shape.length);
    const sizeOf = ({ shape }: Extent, axis: number) => shape[axis - (rank - shape.length)] ?? 1;
    const shape = Array.from({ length: rank }, (_, axis) => {
      const sizes = [sizeOf(a, axis), sizeOf(b, axis)];
      return sizes.find((size) => size !== 1) ?? 1;
    });
    return this.#operation([a, b], shape);
  }

  /** Of weights alone, it is a weight: engines compute it once. */
  #operation(reads: readonly Extent[], shape: readonly number[], scratch = 0): Extent {
    const numbers = reads.flatMap(({ values }) => values ?? []);
    if (reads.length > 0 && numbers.length === 0) return this.weight(shape);
    const result = this.#made(shape);
    this.#operations.push({ reads: numbers, writes: [result.values], scratch });
    return result;
  }

  #made(shape: readonly number[]) {
    return { shape, values: this.#sizes.push(elementCount(shape)) - 1 };
  }
}
