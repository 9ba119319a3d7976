/**
 * The three decoders once more, written straight from their equations in plain numbers, one
 * sentence at a time. Slow, and independent of everything that ships.
 */
import type { WeightArrays } from '@cutline/captioner';

type Vector = number[];

export interface ReferenceStep {
  /** `[V]` */
  logProbs: Vector;
  /** `[L]`, of decoders that attend */
  attention?: Vector;
}

/** Features `[L][D]` and the words read so far → what follows the last of them. */
export type ReferenceDecoder = (
  weights: WeightArrays,
  features: Vector[],
  words: readonly number[],
) => ReferenceStep;

export const referenceDecoders: Record<string, ReferenceDecoder> = {
  'show-and-tell'(weights, features, words) {
    const { affine, row, size } = reader(weights);
    const H = size('lstm.hidden.kernel', 0);
    const image = affine('image', meanOf(features));
    let [h, c] = lstm(affine('lstm.word', image), zeros(H));
    for (const word of words) {
      const inputs = sum(affine('lstm.word', row('embedding', word)), affine('lstm.hidden', h));
      [h, c] = lstm(inputs, c);
    }
    return { logProbs: logSoftmax(affine('output', h)) };
  },

  lrcn(weights, features, words) {
    const { affine, row, size } = reader(weights);
    const H = size('lower.hidden.kernel', 0);
    const v = affine('image', meanOf(features)).map((x) => Math.max(0, x));
    let [h1, c1, h2, c2] = [zeros(H), zeros(H), zeros(H), zeros(H)];
    for (const word of words) {
      const lower = sum(affine('lower.word', row('embedding', word)), affine('lower.hidden', h1));
      [h1, c1] = lstm(lower, c1);
      const upper = sum(
        affine('upper.lower', h1),
        affine('upper.image', v),
        affine('upper.hidden', h2),
      );
      [h2, c2] = lstm(upper, c2);
    }
    return { logProbs: logSoftmax(affine('output', h2)) };
  },

  'show-attend-tell'(weights, features, words) {
    const { affine, row, size, vector } = reader(weights);
    const a = features.map((f) => affine('annotation', f).map((x) => Math.max(0, x)));
    const p = a.map((annotation) => affine('attention.features', annotation));
    const m = meanOf(a);
    let h = affine('init.hidden', m).map(Math.tanh);
    let c = affine('init.cell', m).map(Math.tanh);
    let step: ReferenceStep = { logProbs: [] };
    for (const word of words) {
      const query = affine('attention.hidden', h);
      const scores = p.map(
        (key) => affine('attention.score', sum(key, query).map(Math.tanh))[0] as number,
      );
      const attention = logSoftmax(scores).map(Math.exp);
      const context = a
        .map((annotation, l) => annotation.map((x) => x * (attention[l] as number)))
        .reduce((total, weighted) => sum(total, weighted));
      const z = product(context, affine('gate', h).map(sigmoid));
      const x = row('embedding', word);
      const inputs = sum(
        affine('lstm.word', x),
        affine('lstm.context', z),
        affine('lstm.hidden', h),
      );
      [h, c] = lstm(inputs, c);
      const deep = sum(affine('output.hidden', h), affine('output.context', z), x).map(Math.tanh);
      const bias = vector('output.bias');
      const logits = Array.from({ length: size('embedding', 0) }, (_, id) => {
        const products = product(row('embedding', id), deep);
        return products.reduce((total, value) => total + value, bias[id] as number);
      });
      step = { logProbs: logSoftmax(logits), attention };
    }
    return step;
  },
};

/** h and c from the four gates' inputs, in the order i, f, g, o. */
function lstm(inputs: Vector, c: Vector): [Vector, Vector] {
  const H = c.length;
  const gate = (index: number) => inputs.slice(index * H, (index + 1) * H);
  const [i, f, g, o] = [gate(0), gate(1), gate(2), gate(3)] as const;
  const next = c.map(
    (cell, u) =>
      sigmoid((f[u] as number) + 1) * cell + sigmoid(i[u] as number) * Math.tanh(g[u] as number),
  );
  return [next.map((cell, u) => sigmoid(o[u] as number) * Math.tanh(cell)), next];
}

function reader(weights: WeightArrays) {
  const find = (name: string) => {
    const found = weights.get(name);
    if (!found) throw new Error(`no weight '${name}'`);
    return found;
  };
  return {
    size: (name: string, axis: number) => find(name).shape[axis] as number,
    vector: (name: string) => [...find(name).data],
    row(name: string, index: number): Vector {
      const { data, shape } = find(name);
      const length = shape[1] as number;
      return [...data.subarray(index * length, (index + 1) * length)];
    },
    affine(name: string, x: Vector): Vector {
      const { data, shape } = find(`${name}.kernel`);
      const outputs = shape[1] as number;
      const bias = weights.get(`${name}.bias`)?.data;
      return Array.from({ length: outputs }, (_, o) =>
        x.reduce(
          (total, value, i) => total + value * (data[i * outputs + o] as number),
          bias?.[o] ?? 0,
        ),
      );
    },
  };
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const zeros = (length: number): Vector => new Array<number>(length).fill(0);
const product = (a: Vector, b: Vector) => a.map((x, i) => x * (b[i] as number));

function sum(first: Vector, ...others: Vector[]): Vector {
  return others.reduce((total, next) => total.map((x, i) => x + (next[i] as number)), first);
}

function meanOf(vectors: Vector[]): Vector {
  const [first, ...others] = vectors as [Vector, ...Vector[]];
  return sum(first, ...others).map((x) => x / vectors.length);
}

function logSoftmax(x: Vector): Vector {
  const largest = Math.max(...x);
  const total = x.reduce((acc, value) => acc + Math.exp(value - largest), 0);
  return x.map((value) => value - largest - Math.log(total));
}
