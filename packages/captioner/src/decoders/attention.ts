/**
 * Attention of several heads (Vaswani et al. 2017, section 3.2.2), for words that are read one at a
 * time: whatever is attended to was read before, and is kept as keys and values by head.
 *
 * What hypotheses have said is their own, `[N,...]`. What they see of an image they share, `[B,...]`:
 * the W questions of an image are asked of it together.
 */
import type { TensorOps } from '../tensor-ops.ts';
import { denseLayers, type Weights } from '../weights.ts';

/** `[R,h,M,d]` each: M things to attend to, by head. */
export interface KeysAndValues<T> {
  keys: T;
  values: T;
}

/** As named tensors, in which form decoders keep them from step to step: of each layer. */
export function nameLayers<T>(layers: readonly KeysAndValues<T>[]): Record<string, T> {
  return Object.fromEntries(
    layers.flatMap(({ keys, values }, layer) => [
      [`keys${layer}`, keys],
      [`values${layer}`, values],
    ]),
  );
}

export function layerOf<T>(tensors: Readonly<Record<string, T>>, layer: number): KeysAndValues<T> {
  const [keys, values] = [tensors[`keys${layer}`], tensors[`values${layer}`]];
  if (keys === undefined || values === undefined) throw new Error(`there is no layer ${layer}`);
  return { keys, values };
}

export class Attention<T> {
  readonly #ops: TensorOps<T>;
  readonly #dense: (x: T, name: string) => T;
  readonly #heads: number;
  /** d: channels of a head. */
  readonly #channels: number;

  /** @param sizes `width` is h·d */
  constructor(ops: TensorOps<T>, weights: Weights<T>, sizes: { width: number; heads: number }) {
    this.#ops = ops;
    this.#dense = denseLayers(ops, weights);
    this.#heads = sizes.heads;
    this.#channels = sizes.width / sizes.heads;
  }

  /** Keys and values of `x [R,M,C]`, `count` (M) things each, in the attention of that name. */
  remember(x: T, name: string, count: number): KeysAndValues<T> {
    return {
      keys: this.#byHead(this.#dense(x, `${name}.key`), count),
      values: this.#byHead(this.#dense(x, `${name}.value`), count),
    };
  }

  /** Nothing yet, for as many rows as `rowsOf` has: M is 0. */
  nothing(rowsOf: T): KeysAndValues<T> {
    const none = this.#ops.zeros(rowsOf, [this.#heads, 0, this.#channels]);
    return { keys: none, values: none };
  }

  /** One thing more: `[N,h,M,d]` and `[N,h,1,d]` → `[N,h,M+1,d]`. */
  append(past: KeysAndValues<T>, next: KeysAndValues<T>): KeysAndValues<T> {
    return {
      keys: this.#ops.concat([past.keys, next.keys], 2),
      values: this.#ops.concat([past.values, next.values], 2),
    };
  }

  /** What `x [N,C]` asks of either, scaled by 1/√d: `[N,h,1,d]`. */
  ask(x: T, name: string): T {
    const scale = this.#ops.constant(Float32Array.of(1 / Math.sqrt(this.#channels)), [1]);
    return this.#byHead(this.#ops.mul(this.#dense(x, `${name}.query`), scale), 1);
  }

  /** `questions [N,h,1,d]` of what is their own, `[N,h,M,d]` → `[N,h,1,d]`. */
  ofOwn(questions: T, own: KeysAndValues<T>): T {
    const weights = this.#ops.softmax(this.#fit(questions, own.keys)); // [N,h,1,M]
    return this.#ops.matMul(weights, own.values);
  }

  /**
   * `questions [N,h,1,d]` of what each image's W hypotheses share, `[B,h,L,d]`.
   *
   * @returns besides `seen [N,h,1,d]`, how well each thing fits, before the softmax: `fit [B,h,W,L]`
   */
  ofShared(questions: T, shared: KeysAndValues<T>, width: number): { seen: T; fit: T } {
    const fit = this.#fit(this.#gathered(questions, width, this.#channels), shared.keys);
    const seen = this.#ops.matMul(this.#ops.softmax(fit), shared.values); // [B,h,W,d]
    return { seen: this.#scattered(seen, this.#channels), fit };
  }

  /** Of both at once, as if they stood in one row: `count` (L) shared things, then their own. */
  ofBoth(
    questions: T,
    shared: KeysAndValues<T> & { count: number },
    own: KeysAndValues<T>,
    width: number,
  ): { seen: T; fit: T } {
    const fit = this.#fit(this.#gathered(questions, width, this.#channels), shared.keys);
    const fits = [this.#scattered(fit, shared.count), this.#fit(questions, own.keys)];
    const weights = this.#ops.softmax(this.#ops.concat(fits, 3)); // [N,h,1,L+M]
    const [ofShared, ofOwn] = this.#ops.cut(weights, shared.count);
    const seen = this.#ops.matMul(this.#gathered(ofShared, width, shared.count), shared.values);
    const said = this.#ops.matMul(ofOwn, own.values); // [N,h,1,d]
    return { seen: this.#ops.add(this.#scattered(seen, this.#channels), said), fit };
  }

  /** The heads' answers `[N,h,1,d]` → the layer's output `[N,C]`. */
  answer(seen: T, name: string): T {
    const together = this.#ops.reshape(seen, [-1, this.#heads * this.#channels]);
    return this.#dense(together, `${name}.output`);
  }

  /** `questions [R,h,M,d]`, `keys [R,h,N,d]` → `[R,h,M,N]`. */
  #fit(questions: T, keys: T): T {
    return this.#ops.matMul(questions, this.#ops.transpose(keys, [0, 1, 3, 2]));
  }

  /** `[R,M,h·d]` → `[R,h,M,d]`. */
  #byHead(x: T, count: number): T {
    const rows = this.#ops.reshape(x, [-1, count, this.#heads, this.#channels]);
    return this.#ops.transpose(rows, [0, 2, 1, 3]);
  }

  /** `[N,h,1,C]` → `[B,h,W,C]`: the rows of an image's hypotheses together. */
  #gathered(x: T, width: number, channels: number): T {
    const rows = this.#ops.reshape(x, [-1, width, this.#heads, channels]);
    return this.#ops.transpose(rows, [0, 2, 1, 3]);
  }

  /** `[B,h,W,C]` → `[N,h,1,C]`. */
  #scattered(x: T, channels: number): T {
    return this.#ops.reshape(this.#ops.transpose(x, [0, 2, 1, 3]), [-1, this.#heads, 1, channels]);
  }
}

/**
 * Where hypotheses look, from how well the `count` (L) tokens of an image fit, `fit [B,h,W,L]`: the
 * mean over heads, of patches alone (the first token stands for none) → `[N,L-1]`.
 */
export function lookAtPatches<T>(ops: TensorOps<T>, fit: T, count: number): T {
  const [, patches] = ops.cut(fit, 1);
  return ops.reshape(ops.mean(ops.softmax(patches), 1), [-1, count - 1]);
}
