/**
 * Weights under their published names → the same under the names that they have here. PyTorch's
 * linear layers are `[O,I]` and its convolutions `[O,I,h,w]`; kernels here are `[I,O]`, `[h,w,I,O]`.
 */
import { elementCount, type WeightArray, type WeightArrays } from '../weights.ts';
import type { PublishedCheckpoint } from './published-checkpoint.ts';
import { type Grid, resizePositions } from './resize-positions.ts';

export class PublishedWeights {
  readonly #checkpoint: PublishedCheckpoint;
  readonly #weights = new Map<string, WeightArray>();

  constructor(checkpoint: PublishedCheckpoint) {
    this.#checkpoint = checkpoint;
  }

  get weights(): WeightArrays {
    return this.#weights;
  }

  has(tensor: string): boolean {
    return this.#checkpoint.has(tensor);
  }

  /** A tensor as it is, or of another shape with as many elements. */
  async take(from: string, to: string, shape?: readonly number[]): Promise<void> {
    const { data, shape: published } = await this.#checkpoint.read(from);
    if (shape && elementCount(shape) !== elementCount(published)) {
      throw new Error(`'${from}' [${published}] should have ${elementCount(shape)} values`);
    }
    this.put(to, { data, shape: shape ?? published });
  }

  /**
   * Learned positions of a class token and of a grid of patches, `[1+side·side,channels]` → of
   * `grid`, interpolated where that is another one.
   */
  async positions(
    from: string,
    to: string,
    { side, channels, grid }: { side: number; channels: number; grid: Grid },
  ): Promise<void> {
    await this.take(from, to, [1 + side * side, channels]);
    const { data } = this.#weights.get(to) as WeightArray;
    if (side === grid[0] && side === grid[1]) return;
    const shape = [1 + grid[0] * grid[1], channels];
    this.put(to, { data: resizePositions(data, channels, grid), shape });
  }

  put(name: string, weight: WeightArray): void {
    this.#weights.set(name, weight);
  }

  /** `from.weight [O,I]`, and `from.bias` → `to.kernel [I,O]`, `to.bias`. */
  async linear(from: string, to: string): Promise<void> {
    await this.linears(from, [to]);
  }

  /** The same for several layers of one size that are published as one, `[n·O,I]`. */
  async linears(from: string, names: readonly string[]): Promise<void> {
    const kernel = transpose(await this.#checkpoint.read(`${from}.weight`)); // [I,n·O]
    await this.#layers(from, kernel, names);
  }

  /** As `linears`, of layers that are published as `[I,n·O]`: GPT-2's. */
  async columns(from: string, names: readonly string[]): Promise<void> {
    await this.#layers(from, await this.#checkpoint.read(`${from}.weight`), names);
  }

  async norm(from: string, to: string): Promise<void> {
    await this.take(`${from}.weight`, `${to}.scale`);
    await this.take(`${from}.bias`, `${to}.shift`);
  }

  /** `from.weight [O,I,h,w]`, and `from.bias`, zeros where there is none → `to.kernel [h,w,I,O]`. */
  async convolution(from: string, to: string): Promise<void> {
    const { data, shape } = await this.#checkpoint.read(`${from}.weight`);
    const [outputs = 0, inputs = 0, height = 0, width = 0] = shape;
    const { data: kernel } = transpose({ data, shape: [outputs, inputs * height * width] });
    // [I·h·w,O] → [h·w,I,O]
    const swapped = new Float32Array(kernel.length);
    const area = height * width;
    for (let input = 0; input < inputs; input++) {
      for (let at = 0; at < area; at++) {
        const row = (input * area + at) * outputs;
        swapped.set(kernel.subarray(row, row + outputs), (at * inputs + input) * outputs);
      }
    }
    this.put(`${to}.kernel`, { data: swapped, shape: [height, width, inputs, outputs] });
    if (this.has(`${from}.bias`)) await this.take(`${from}.bias`, `${to}.bias`);
    else this.put(`${to}.bias`, { data: new Float32Array(outputs), shape: [outputs] });
  }

  async #layers(from: string, kernel: WeightArray, names: readonly string[]): Promise<void> {
    const bias = this.has(`${from}.bias`)
      ? await this.#checkpoint.read(`${from}.bias`)
      : { data: new Float32Array(kernel.shape[1] ?? 0), shape: [kernel.shape[1] ?? 0] };
    const [inputs = 0, columns = 0] = kernel.shape;
    const outputs = columns / names.length;
    for (const [index, name] of names.entries()) {
      const data = new Float32Array(inputs * outputs);
      for (let row = 0; row < inputs; row++) {
        const first = row * columns + index * outputs;
        data.set(kernel.data.subarray(first, first + outputs), row * outputs);
      }
      this.put(`${name}.kernel`, { data, shape: [inputs, outputs] });
      const own = bias.data.slice(index * outputs, (index + 1) * outputs);
      this.put(`${name}.bias`, { data: own, shape: [outputs] });
    }
  }
}

/** `[R,C]` → `[C,R]`, in tiles: of a large matrix, every step along a column is a cache miss. */
function transpose({ data, shape }: WeightArray): WeightArray {
  const [rows = 0, columns = 0] = shape;
  const transposed = new Float32Array(data.length);
  const tile = 32;
  for (let top = 0; top < rows; top += tile) {
    for (let left = 0; left < columns; left += tile) {
      for (let row = top; row < Math.min(rows, top + tile); row++) {
        for (let column = left; column < Math.min(columns, left + tile); column++) {
          transposed[column * rows + row] = data[row * columns + column] as number;
        }
      }
    }
  }
  return { data: transposed, shape: [columns, rows] };
}
