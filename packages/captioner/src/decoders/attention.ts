/**
 * Attention of several heads (Vaswani et al. 2017, section 3.2.2), for words that are read one at a
 * time, to two kinds of things:
 *
 * - what a hypothesis has said, `[N,...]`: keys and values are computed once, when a word is read
 * - what the W hypotheses of an image share, its tokens `f [B,L,E]`: no keys or values of them are
 *   made at all. As q·(f·Wₖ)ᵀ = (q·Wₖᵀ)·fᵀ and Σ α(f·Wᵥ) = (Σ αf)·Wᵥ, questions are brought to where
 *   the tokens are, and answers back: W·h rows an image, instead of two times L in every layer, which
 *   would also take forty times the memory (record 15).
 *
 * Biases of keys shift all of a question's fits alike, and softmax does not see them. Weights sum to
 * one, so the bias of values is added to the answer.
 */
import type { TensorOps } from '../tensor-ops.ts';
import { denseLayers, type Weights } from '../weights.ts';

/** What was said, `[R,h,T,d]` each, by head. */
export interface KeysAndValues<T> {
  keys: T;
  values: T;
}

/** The tokens of images, `tokens [B,L,E]`, and L. */
export interface ImageTokens<T> {
  tokens: T;
  count: number;
}

export interface Sizes {
  /** h·d */
  width: number;
  /** h */
  heads: number;
  /** E: channels of the image's tokens. */
  imageWidth: number;
}

export class Attention<T> {
  readonly #ops: TensorOps<T>;
  readonly #weights: Weights<T>;
  readonly #sizes: Sizes;
  /** d: channels of a head. */
  readonly #channels: number;

  constructor(ops: TensorOps<T>, weights: Weights<T>, sizes: Sizes) {
    this.#ops = ops;
    this.#weights = weights;
    this.#sizes = sizes;
    this.#channels = sizes.width / sizes.heads;
  }

  /** Of one layer, by the name of its weights; what follows from those alone is computed here. */
  layer(name: string, { ofImage }: { ofImage: boolean }): AttentionLayer<T> {
    const { heads, imageWidth: E } = this.#sizes;
    const kernel = (part: string) => this.#weights.get(`${name}.${part}.kernel`);
    const byHead = (part: string, order: readonly number[]) => {
      const columns = this.#ops.reshape(kernel(part), [E, heads, this.#channels]);
      return this.#ops.transpose(columns, order);
    };
    return {
      name,
      key: kernel('key'),
      value: kernel('value'),
      ...(ofImage && {
        ofImage: {
          key: byHead('key', [1, 2, 0]), // [h,d,E]
          value: byHead('value', [1, 0, 2]), // [h,E,d]
        },
      }),
    };
  }

  /** Keys and values of a word each, `x [N,C]`. */
  remember(x: T, { key, value }: AttentionLayer<T>): KeysAndValues<T> {
    return {
      keys: this.#byHead(this.#ops.dense(x, key)),
      values: this.#byHead(this.#ops.dense(x, value)),
    };
  }

  /** Nothing yet, for as many rows as `rowsOf` has: T is 0. */
  nothing(rowsOf: T): KeysAndValues<T> {
    const none = this.#ops.zeros(rowsOf, [this.#sizes.heads, 0, this.#channels]);
    return { keys: none, values: none };
  }

  /** One word more: `[N,h,T,d]` and `[N,h,1,d]` → `[N,h,T+1,d]`. */
  append(past: KeysAndValues<T>, next: KeysAndValues<T>): KeysAndValues<T> {
    return {
      keys: this.#ops.concat([past.keys, next.keys], 2),
      values: this.#ops.concat([past.values, next.values], 2),
    };
  }

  /** What `x [N,C]` asks, scaled by 1/√d: `[N,h,1,d]`. */
  ask(x: T, { name }: AttentionLayer<T>): T {
    const scale = this.#ops.constant(Float32Array.of(1 / Math.sqrt(this.#channels)), [1]);
    return this.#byHead(this.#ops.mul(this.#dense(x, `${name}.query`), scale));
  }

  /** `questions [N,h,1,d]` of what was said → `[N,h,1,d]`. */
  ofOwn(questions: T, own: KeysAndValues<T>): T {
    const weights = this.#ops.softmax(this.#fitOwn(questions, own)); // [N,h,1,T]
    return this.#ops.matMul(weights, own.values);
  }

  /**
   * `questions [N,h,1,d]` of the images' tokens.
   *
   * @returns besides `seen [N,h,1,d]`, how well each token fits, before the softmax: `fit [N,h,L]`
   */
  ofImage(
    questions: T,
    image: ImageTokens<T>,
    layer: AttentionLayer<T>,
    width: number,
  ): { seen: T; fit: T } {
    const fit = this.#fitImage(questions, image, layer, width); // [B,W·h,L]
    const seen = this.#seeImage(this.#ops.softmax(fit), image, layer);
    return { seen, fit: this.#ops.reshape(fit, [-1, this.#sizes.heads, image.count]) };
  }

  /** Of both at once, as if they stood in one row: an image's tokens, then what was said. */
  ofBoth(
    questions: T,
    image: ImageTokens<T>,
    own: KeysAndValues<T>,
    layer: AttentionLayer<T>,
    width: number,
  ): { seen: T; fit: T } {
    const { heads } = this.#sizes;
    const rows = [-1, heads, 1, image.count];
    const fit = this.#ops.reshape(this.#fitImage(questions, image, layer, width), rows);
    const fits = this.#ops.concat([fit, this.#fitOwn(questions, own)], 3); // [N,h,1,L+T]
    const [ofImage, ofOwn] = this.#ops.cut(this.#ops.softmax(fits), image.count);
    const together = this.#ops.reshape(ofImage, [-1, width * heads, image.count]);
    const seen = this.#seeImage(together, image, layer);
    const said = this.#ops.matMul(ofOwn, own.values);
    return {
      seen: this.#ops.add(seen, said),
      fit: this.#ops.reshape(fit, [-1, heads, image.count]),
    };
  }

  /** The heads' answers `[N,h,1,d]` → the layer's output `[N,C]`. */
  answer(seen: T, { name }: AttentionLayer<T>): T {
    const together = this.#ops.reshape(seen, [-1, this.#sizes.width]);
    const biased = this.#ops.add(together, this.#weights.get(`${name}.value.bias`));
    return this.#dense(biased, `${name}.output`);
  }

  /** `[N,h,1,T]` */
  #fitOwn(questions: T, { keys }: KeysAndValues<T>): T {
    return this.#ops.matMul(questions, this.#ops.transpose(keys, [0, 1, 3, 2]));
  }

  /** `[B,W·h,L]` */
  #fitImage(
    questions: T,
    { tokens }: ImageTokens<T>,
    { ofImage }: AttentionLayer<T>,
    width: number,
  ): T {
    const { heads, imageWidth: E } = this.#sizes;
    const perHead = this.#ops.transpose(
      this.#ops.reshape(questions, [-1, heads, this.#channels]),
      [1, 0, 2],
    ); // [h,N,d]
    const brought = this.#ops.matMul(perHead, given(ofImage).key); // [h,N,E]
    const together = this.#ops.reshape(this.#ops.transpose(brought, [1, 0, 2]), [
      -1,
      width * heads,
      E,
    ]); // [B,W·h,E]
    return this.#ops.matMul(together, this.#ops.transpose(tokens, [0, 2, 1]));
  }

  /** `weights [B,W·h,L]` → `[N,h,1,d]` */
  #seeImage(weights: T, { tokens }: ImageTokens<T>, { ofImage }: AttentionLayer<T>): T {
    const { heads, imageWidth: E } = this.#sizes;
    const seen = this.#ops.matMul(weights, tokens); // [B,W·h,E]
    const perHead = this.#ops.transpose(this.#ops.reshape(seen, [-1, heads, E]), [1, 0, 2]);
    const back = this.#ops.matMul(perHead, given(ofImage).value); // [h,N,d]
    const rows = [-1, heads, 1, this.#channels];
    return this.#ops.reshape(this.#ops.transpose(back, [1, 0, 2]), rows);
  }

  /** `[N,h·d]` → `[N,h,1,d]` */
  #byHead(x: T): T {
    return this.#ops.reshape(x, [-1, this.#sizes.heads, 1, this.#channels]);
  }

  #dense(x: T, name: string): T {
    return denseLayers(this.#ops, this.#weights)(x, name);
  }
}

/** One layer's weights, in the forms in which they are used. */
export interface AttentionLayer<T> {
  name: string;
  /** `[C,h·d]` each. */
  key: T;
  value: T;
  /** By head: `key [h,d,E]`, `value [h,E,d]`. */
  ofImage?: KeyAndValueKernels<T>;
}

interface KeyAndValueKernels<T> {
  key: T;
  value: T;
}

function given<T>(kernels: KeyAndValueKernels<T> | undefined): KeyAndValueKernels<T> {
  if (!kernels) throw new Error('this layer attends to no image');
  return kernels;
}

/**
 * Where hypotheses look, from how well the `count` (L) tokens of an image fit, `fit [N,h,L]`: the mean
 * over heads, of patches alone (the first token stands for none) → `[N,L-1]`.
 */
export function lookAtPatches<T>(ops: TensorOps<T>, fit: T): T {
  const [, patches] = ops.cut(fit, 1);
  return ops.mean(ops.softmax(patches), 1);
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
  return {
    keys: tensorOf(tensors, `keys${layer}`),
    values: tensorOf(tensors, `values${layer}`),
  };
}

export function tensorOf<T>(tensors: Readonly<Record<string, T>>, name: string): T {
  const tensor = tensors[name];
  if (tensor === undefined) throw new Error(`there is no tensor named '${name}'`);
  return tensor;
}
