/**
 * What a decoder has to say about itself. One file defines it, one line in index.ts registers it.
 *
 * A decoder is a policy-free step function: it knows nothing of beams' scores, lengths or bans.
 * Tensors that change with every word (the state) have one row a hypothesis, and beam search
 * gathers those that go on; what is computed once from the features (the memory) has one row an
 * image, and is shared by all hypotheses of that image. Rows are ordered image by image: with W
 * hypotheses an image, row r belongs to image ⌊r/W⌋.
 *
 * The decoder's first layer, its projection of the CNN's feature map, is declared apart: it makes
 * features small, and a bundle says on which side of its cut it is computed (cut.ts).
 */
import type { z } from 'zod';
import type { Lineage } from '../lineage.ts';
import type { TensorOps } from '../tensor-ops.ts';
import type { ParameterSpecs, Weights } from '../weights.ts';

/** Named tensors. */
export type Tensors<T, Name extends string = string> = Readonly<Record<Name, T>>;

export interface DecoderStep<T, StateName extends string = string> {
  /** `[N,V]`: natural logarithms of the words' probabilities, not normalised. */
  logits: T;
  state: Tensors<T, StateName>;
  /**
   * `[N,P]`: where the decoder looked to predict the next word; each row sums to 1. The P places are
   * the L locations, but for those that stand for no place in the image (a class token).
   */
  attention?: T;
}

/** A decoder over given weights. */
export interface DecoderModel<
  T,
  MemoryName extends string = string,
  StateName extends string = string,
> {
  /**
   * `projected [B,L,D]` → the memory, `[B,...]` each, and the state before `<start>`, `[B,...]`
   * each: one row an image, W = 1.
   */
  start(projected: T): { memory: Tensors<T, MemoryName>; state: Tensors<T, StateName> };
  /**
   * Reads a word, one a hypothesis.
   *
   * @param state `[U,...]` each: of the hypotheses' parents
   */
  step(
    memory: Tensors<T, MemoryName>,
    state: Tensors<T, StateName>,
    words: ReadWords<T>,
    lineage: Lineage<T>,
  ): DecoderStep<T, StateName>;
}

/** What is read at a step, one a hypothesis. */
export interface ReadWords<T> {
  /** `[N]` int32: which words. */
  tokens: T;
  /** `[N]` int32: how many were read before. */
  positions: T;
}

/** What a decoder does with a feature map before anything else. */
export interface Projection<Sizes> {
  /** @param channels D of the feature map */
  parameters(sizes: Sizes, channels: number): ParameterSpecs;
  /** Of what is projected from a feature map `[L,D]`. */
  shape(sizes: Sizes, featureMap: FeatureShape): FeatureShape;
  /** `featureMap [B,L,D]` → `[B,L',D']` */
  project<T>(ops: TensorOps<T>, weights: Weights<T>, sizes: Sizes, featureMap: T): T;
}

/** `[L,D]` */
export type FeatureShape = readonly [locations: number, channels: number];

/** Sizes that the decoder does not choose. */
export interface DecoderContext {
  /** L, of what is projected */
  locations: number;
  /** D, of what is projected */
  channels: number;
  /** V */
  vocabulary: number;
}

export interface DecoderFamily<
  Sizes,
  MemoryName extends string = string,
  StateName extends string = string,
> {
  /** The name in model.json. */
  name: string;
  /** The sizes in model.json. */
  sizesSchema: z.ZodType<Sizes>;
  /** Whether steps return attention. */
  attends: boolean;
  /** Words that it can read at most, the start token counted; as many as one likes where absent. */
  tokensMax?(sizes: Sizes): number;
  projection: Projection<Sizes>;
  /** Of everything but the projection. */
  parameters(sizes: Sizes, context: DecoderContext): ParameterSpecs;
  /**
   * Binds the definition to weights. What can be derived from weights alone (a transposed
   * embedding) is computed here, once, not at every step.
   */
  build<T>(
    ops: TensorOps<T>,
    weights: Weights<T>,
    sizes: Sizes,
    context: DecoderContext,
  ): DecoderModel<T, MemoryName, StateName>;
}

/** Declares a word's vector each, `embedding [V,E]`. */
export function embeddingSpec(vocabulary: number, size: number): ParameterSpecs {
  return { embedding: { shape: [vocabulary, size], limit: Math.sqrt(3 / size) } };
}
