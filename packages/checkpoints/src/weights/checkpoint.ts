/** What a checkpoint is to those who read it, in whatever files it lies. */

export interface TensorInfo {
  shape: readonly number[];
  /**
   * In which type it is stored: `float32`, `float16`, `bfloat16` and `float64` can be read; of
   * others it is only known that they are there.
   */
  type: string;
  /** How many bytes of memory reading it takes, as float32. */
  bytes: number;
}

export interface Tensor {
  shape: readonly number[];
  /** Row-major. From float64, rounded to the nearest; from anything else, exact. */
  data: Float32Array<ArrayBuffer>;
}

/** Tensors by name. */
export interface TensorSource {
  readonly tensors: ReadonlyMap<string, TensorInfo>;

  /**
   * A tensor's numbers, in memory of their own. Tensors may be read at the same time.
   *
   * @throws UserError when there is none of that name, or it is of a type that is not read, or the
   *   file is damaged.
   */
  read(name: string): Promise<Tensor>;

  /** What is being read then fails. */
  close(): Promise<void>;
}

/** Published weights, opened. Close it when you are done. */
export interface Checkpoint extends TensorSource {
  /** Names of the files that hold the tensors, in the checkpoint's folder; sorted. */
  readonly files: readonly string[];
}
