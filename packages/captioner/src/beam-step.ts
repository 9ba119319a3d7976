/**
 * One step of beam search as tensor operations, for every decoder: keep the state of what the last
 * selection continues, run the decoder, and find the best continuations of each image. As it is
 * written over `TensorOps`, an engine can run it as a single graph and return only a few numbers.
 */
import type { DecoderModel, ReadWords, Tensors } from './decoders/decoder-family.ts';
import { type LineageRows, lineageOf } from './lineage.ts';
import type { TensorOps } from './tensor-ops.ts';

export interface BeamStepInputs<T> extends LineageRows<T>, ReadWords<T> {
  /** `[N,1]`: sum of the log-probabilities of each hypothesis; -Infinity for an unused row. */
  scores: T;
  /** `[1,V]`: 0, or -Infinity for words that are never said: they take no share of probability. */
  excluded: T;
  /** `[1,V]`: 0, or -Infinity for words that may not follow now. */
  penalties: T;
}

export interface BeamStepOutputs<T> {
  /** `[B,count]`: log-probabilities of the best continuations of each image, best first. */
  values: T;
  /** `[B,count]` int32: which they are: hypothesis·V + word, hypothesis in 0 … W−1. */
  indices: T;
  state: Tensors<T>;
  /** `[N,L]`, of decoders that attend. */
  attention?: T;
}

/** N = B·`width` hypotheses one word further; `vocabulary` is V. */
export function beamStep<T>(
  ops: TensorOps<T>,
  model: DecoderModel<T>,
  memory: Tensors<T>,
  state: Tensors<T>,
  inputs: BeamStepInputs<T>,
  { width, vocabulary, count }: { width: number; vocabulary: number; count: number },
): BeamStepOutputs<T> {
  const parents = gatherRows(ops, state, inputs.parents); // [U,...]
  const lineage = lineageOf(ops, inputs, width);
  const { logits, ...rest } = model.step(memory, parents, inputs, lineage);
  const logProbs = ops.logSoftmax(ops.add(logits, inputs.excluded)); // [N,V]
  const totals = ops.add(ops.add(logProbs, inputs.scores), inputs.penalties); // [N,V]
  const best = ops.topK(ops.reshape(totals, [-1, width * vocabulary]), count); // [B,count]
  return { ...best, ...rest };
}

/** The named rows of every tensor, in the order of `rows [N]` int32. */
export function gatherRows<T>(ops: TensorOps<T>, tensors: Tensors<T>, rows: T): Tensors<T> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, ops.gather(tensor, rows)]),
  );
}
