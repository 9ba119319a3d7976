/**
 * The operations of which every model is made. Encoders, decoders and the beam step are functions
 * over this interface and nothing else, so that one definition can be executed eagerly
 * (TensorFlow.js), differentiated (a trainer) and recorded as a graph (ONNX).
 *
 * For that to hold, a model never reads a tensor's data, and never bakes a batch size into a
 * constant: the leading dimension is only known when the model runs, and is written -1 in
 * `reshape`.
 *
 * `T` is the engine's tensor and opaque to models. Images are `[B,H,W,C]`; float32 throughout,
 * indices int32.
 */
export interface TensorOps<T> {
  /** A tensor whose values are known when the model is built. */
  constant(values: Float32Array, shape: readonly number[]): T;
  /** `[B,...row]` of zeros, with as many rows as `rowsOf` has. A dimension may be 0. */
  zeros(rowsOf: T, row: readonly number[]): T;

  /** `x [B,H,W,I]` * `kernel [h,w,I,O]` → `[B,H',W',O]`. */
  conv2d(x: T, kernel: T, options: ConvolutionOptions<T>): T;
  /** `x [B,H,W,C]` * `kernel [h,w,C,1]` → `[B,H',W',C]`: each channel by itself. */
  depthwiseConv2d(x: T, kernel: T, options: ConvolutionOptions<T>): T;
  /** activation(x · kernel + bias): `x [...,I]`, `kernel [I,O]`, `bias [O]` → `[...,O]`. */
  dense(x: T, kernel: T, bias?: T, activation?: Activation): T;
  /**
   * The same in 8-bit integers, for one image: x is rounded to 256 steps between its least and its
   * greatest value (0 among them), `codes [I,O]` are whole numbers, and their products are summed
   * exactly; column o of the result is that sum times the step and `scales [O]`. For CPUs: it is
   * less exact than `dense`, and up to twice as fast.
   */
  denseInt8(x: T, codes: T, scales: T, bias?: T, activation?: Activation): T;
  /**
   * `a [...,M,N]` · `b [...,N,P]` → `[...,M,P]`, of as many leading dimensions.
   *
   * @param rows says that M is small, as a beam is wide
   */
  matMul(a: T, b: T, rows?: 'few'): T;
  /**
   * Scaled dot-product attention of several heads (Vaswani et al. 2017, section 3.2), each over its
   * own d of the channels: softmax(q·kᵀ/√d)·v, of `q [B,M,h·d]`, `k`, `v [B,N,h·d]` → `[B,M,h·d]`.
   */
  attention(q: T, k: T, v: T, heads: number): T;
  /**
   * (x − mean) / √(variance + ε) · scale + shift, over the last axis of `x [...,C]`; `scale`,
   * `shift [C]` (Ba et al. 2016, eqs. 3, 4).
   */
  layerNorm(x: T, scale: T, shift: T, epsilon: number): T;

  /** Elementwise; shapes broadcast from the right, as everywhere. */
  add(a: T, b: T): T;
  mul(a: T, b: T): T;
  tanh(x: T): T;
  sigmoid(x: T): T;

  /** Over the last axis. */
  softmax(x: T): T;
  logSoftmax(x: T): T;
  /** Over one axis, which goes away. */
  mean(x: T, axis: number): T;

  /** One dimension may be -1: what remains. */
  reshape(x: T, shape: readonly number[]): T;
  transpose(x: T, permutation: readonly number[]): T;
  /** `count` equal pieces along the last axis. */
  split(x: T, count: number): T[];
  /** Two pieces along the last axis: the first `length`, and what remains. */
  cut(x: T, length: number): [first: T, rest: T];
  /** One after the other along an axis; in the others they are of one size. */
  concat(xs: readonly T[], axis: number): T;
  /** Rows of `x` along its first axis: `indices [N]` int32 → `[N,...]`. */
  gather(x: T, indices: T): T;
  /** The `count` largest of each row of `x [R,C]`, largest first; of equals the lower index. */
  topK(x: T, count: number): { values: T; indices: T };
}

/**
 * `gelu` is x·Φ(x) (Hendrycks & Gimpel 2016); `gelu-tanh` and `gelu-sigmoid` are that paper's two
 * approximations, by tanh(√(2/π)(x + 0.044715x³)) and by σ(1.702x).
 */
export type Activation = 'relu' | 'relu6' | 'tanh' | 'sigmoid' | Gelu;

export type Gelu = 'gelu' | 'gelu-tanh' | 'gelu-sigmoid';

export interface ConvolutionOptions<T> {
  bias: T;
  /** Of both axes; 1 when absent. */
  stride?: number;
  /** Zeros added on all four sides, whatever the stride (as in PyTorch); 0 when absent. */
  padding?: number;
  activation?: 'relu' | 'relu6';
}
