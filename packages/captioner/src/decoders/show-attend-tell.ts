/**
 * Show, Attend and Tell (Xu et al. 2015, https://arxiv.org/abs/1502.03044), with deterministic
 * "soft" attention: at every word the decoder looks again, at a weighted mean of L annotation
 * vectors, and the weights show where.
 *
 *     a  = relu(annotation(f))                 annotation vectors (the projection), eq. 1
 *     h₀ = tanh(init.hidden(mean a)), c₀ = tanh(init.cell(mean a))             section 3.1.2
 *
 *     e  = score(tanh(attention.features(a) + attention.hidden(h)))            eq. 4
 *     α  = softmax over L of e                                                 eqs. 5, 14
 *     z  = σ(gate(h)) ⊙ Σ α a                                gated context,    eq. 13, section 4.2.1
 *     h' = LSTM(embedding[w], z, h)                                            eqs. 1–3
 *     log p = log softmax((tanh(output.hidden(h') + output.context(z) + embedding[w])) · embeddingᵀ)
 *                                                            deep output,      eq. 7
 *
 * Three departures from the paper. The annotation vectors are a learned projection of the CNN's
 * feature map, which also makes features and context small. The gate is a vector, not a scalar. The deep
 * output ends in the transposed embedding (Press & Wolf 2017), which halves the parameters.
 *
 * attention.features(a) does not depend on words: it is computed once per image (the memory).
 */
import { z } from 'zod';
import { biasSpec, denseLayers, denseSpecs, kernelSpec } from '../weights.ts';
import { type DecoderFamily, embeddingSpec } from './decoder-family.ts';
import { lstmCell } from './lstm.ts';

const size = z.int().positive();

const sizesSchema = z.strictObject({
  /** A: an annotation vector, and so the context z. */
  annotation: size,
  /** P: the space in which features and hidden state are compared. */
  attention: size,
  /** E: a word's vector. */
  embedding: size,
  /** H: the LSTM's state. */
  hidden: size,
});

export type ShowAttendTellSizes = z.infer<typeof sizesSchema>;

type MemoryName = 'annotations' | 'keys';

export const showAttendTell: DecoderFamily<ShowAttendTellSizes, MemoryName, 'hidden' | 'cell'> = {
  name: 'show-attend-tell',
  sizesSchema,
  attends: true,

  projection: {
    parameters: ({ annotation }, channels) => denseSpecs('annotation', channels, annotation),
    shape: ({ annotation }, [locations]) => [locations, annotation],
    project: (ops, weights, _sizes, featureMap) =>
      denseLayers(ops, weights)(featureMap, 'annotation', 'relu'), // [B,L,A]
  },

  build(ops, weights, { annotation: A, attention: P }, { locations: L }) {
    const dense = denseLayers(ops, weights);
    const embedding = weights.get('embedding'); // [V,E]
    const reading = dense(embedding, 'lstm.word'); // [V,4H]: what each word brings to the LSTM
    const unembedding = ops.transpose(embedding, [1, 0]); // [E,V]
    return {
      start(annotations) {
        const mean = ops.mean(annotations, 1); // [B,A]
        return {
          memory: { annotations, keys: dense(annotations, 'attention.features') }, // [B,L,P]
          state: {
            hidden: dense(mean, 'init.hidden', 'tanh'), // [B,H]
            cell: dense(mean, 'init.cell', 'tanh'), // [B,H]
          },
        };
      },

      step({ annotations, keys }, { hidden, cell }, { tokens }, { width: W, ...lineage }) {
        // Hypotheses of an image share its annotations: [B·W,...] is seen as [B,W,...] here.
        const query = lineage.perHypothesis(dense(hidden, 'attention.hidden')); // [N,P]
        const compared = ops.tanh(
          ops.add(ops.reshape(keys, [-1, 1, L, P]), ops.reshape(query, [-1, W, 1, P])),
        ); // [B,W,L,P]
        const scores = ops.reshape(dense(compared, 'attention.score'), [-1, W, L]);
        const attention = ops.softmax(scores); // [B,W,L]
        const context = ops.reshape(ops.matMul(attention, annotations, 'few'), [-1, A]); // [N,A]
        const gated = ops.mul(lineage.perParent(context), dense(hidden, 'gate', 'sigmoid')); // [U,A]
        const seen = ops.add(dense(gated, 'lstm.context'), dense(hidden, 'lstm.hidden')); // [U,4H]

        const word = ops.gather(embedding, tokens); // [N,E]
        const read = ops.add(ops.gather(reading, tokens), lineage.perHypothesis(seen)); // [N,4H]
        const state = lstmCell(ops, read, lineage.perHypothesis(cell)); // [N,H]

        const shown = lineage.perHypothesis(dense(gated, 'output.context')); // [N,E]
        const said = ops.add(dense(state.hidden, 'output.hidden'), shown);
        const deep = ops.tanh(ops.add(said, word)); // [N,E]
        return {
          logits: ops.dense(deep, unembedding, weights.get('output.bias')), // [N,V]
          state,
          attention: ops.reshape(attention, [-1, L]), // [N,L]
        };
      },
    };
  },

  parameters({ annotation, attention, embedding, hidden }, { vocabulary }) {
    return {
      ...denseSpecs('init.hidden', annotation, hidden),
      ...denseSpecs('init.cell', annotation, hidden),
      ...denseSpecs('attention.features', annotation, attention),
      ...denseSpecs('attention.hidden', hidden, attention),
      ...denseSpecs('attention.score', attention, 1),
      ...denseSpecs('gate', hidden, annotation),
      ...embeddingSpec(vocabulary, embedding),
      ...denseSpecs('lstm.word', embedding, 4 * hidden),
      ...kernelSpec('lstm.context', annotation, 4 * hidden),
      ...kernelSpec('lstm.hidden', hidden, 4 * hidden),
      ...denseSpecs('output.hidden', hidden, embedding),
      ...denseSpecs('output.context', annotation, embedding),
      'output.bias': biasSpec(vocabulary),
    };
  },
};
