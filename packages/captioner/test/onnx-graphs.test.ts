/** What is recorded as ONNX: graphs of the intended operators, and no others. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportOnnx } from '@cutline/captioner';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { type ReadGraph, readOnnx } from './support/read-onnx.ts';
import { familyNames, randomBytes, tinyBundle } from './support/tiny-model.ts';

const words = ['a', 'dog', 'runs', 'in', 'water', 'snow', 'on', 'the', 'beach', 'two'];

function graphsOf(family: string): Map<string, ReadGraph> {
  const exported = exportOnnx(tinyBundle(family, words));
  return new Map([...exported].map(([file, bytes]) => [file, readOnnx(bytes)]));
}

/** A graph as ONNX Runtime makes it of one of ours. */
async function optimise(graphs: ReadonlyMap<string, Uint8Array>, file: string): Promise<ReadGraph> {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-graph-'));
  try {
    const optimizedModelFilePath = join(folder, file);
    const graphOptimizationLevel = 'extended';
    const session = await InferenceSession.create(graphs.get(file) as Uint8Array, {
      optimizedModelFilePath,
      graphOptimizationLevel,
    });
    await session.release();
    return readOnnx(await readFile(optimizedModelFilePath));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const operatorsOf = (graph: ReadGraph | undefined) => graph?.nodes.map((node) => node.operator);

const countOf = (graph: ReadGraph | undefined, operator: string) =>
  operatorsOf(graph)?.filter((found) => found === operator).length;

describe('the encoder’s graph', () => {
  const encoder = graphsOf('lrcn').get('encoder.onnx');

  it('transposes bytes where images come in, and features where they go out, and nothing between', () => {
    const operators = operatorsOf(encoder) ?? [];
    expect(operators.slice(0, 2)).toEqual(['Transpose', 'Cast']);
    expect(operators.slice(-2)).toEqual(['Transpose', 'Reshape']);
    expect(countOf(encoder, 'Transpose')).toBe(2);
  });

  it('is convolutions with their activations and residuals', () => {
    // stem; block0: depthwise, project; blocks 1 and 2: expand, depthwise, project; head
    expect(countOf(encoder, 'Conv')).toBe(10);
    expect(countOf(encoder, 'Clip')).toBe(7);
    // The normalisation's, and the residuals of blocks 0 and 2.
    expect(countOf(encoder, 'Add')).toBe(3);
    expect(new Set(operatorsOf(encoder))).toEqual(
      new Set(['Transpose', 'Cast', 'Mul', 'Add', 'Conv', 'Clip', 'Reshape']),
    );
    for (const { operator, inputs, outputs } of encoder?.nodes ?? []) {
      if (operator !== 'Clip') continue;
      const producer = encoder?.nodes.find((node) => node.outputs[0] === inputs[0]);
      expect(producer?.operator, `before ${outputs}`).toBe('Conv');
    }
  });
});

describe('weights in float16', () => {
  const bundle = tinyBundle('show-attend-tell', words);
  const whole = exportOnnx(bundle);
  const halved = exportOnnx(bundle, 'float16');

  it('are the same weights, rounded: the encoder computes the same to three digits', async () => {
    const pixels = { pixels: new Tensor('uint8', randomBytes(360, 1), [1, 12, 10, 3]) };
    const encode = async (graphs: Map<string, Uint8Array>) => {
      const session = await InferenceSession.create(graphs.get('encoder.onnx') as Uint8Array);
      const outputs = await session.run(pixels);
      return Array.from(outputs.features?.data as Float32Array);
    };
    const expected = await encode(whole);
    const found = await encode(halved);
    expect(found).not.toEqual(expected);
    for (const [index, value] of found.entries()) {
      expect(Math.abs(value - (expected[index] as number))).toBeLessThan(0.02);
    }
  });

  it('are cast where they enter, once each, and everything else is as it was', () => {
    for (const [name, bytes] of halved) {
      const before = readOnnx(whole.get(name) as Uint8Array);
      const graph = readOnnx(bytes);
      const weights = graph.nodes.filter(
        ({ operator, inputs }) =>
          operator === 'Cast' && graph.initializers.includes(inputs[0] as string),
      );
      expect(weights.length).toBeGreaterThan(0);
      expect(graph.nodes.length).toBe(before.nodes.length + weights.length);
      expect(graph.initializers.toSorted()).toEqual(before.initializers.toSorted());
      expect(new Set(weights.map(({ inputs }) => inputs[0])).size).toBe(weights.length);
    }
  });
});

describe.each(familyNames)('the graphs of the decoder %s', (family) => {
  const graphs = graphsOf(family);
  const start = graphs.get('decoder-start.onnx');
  const step = graphs.get('decoder-step.onnx');

  it('fit together: what the start returns, the step takes, and returns what it takes again', () => {
    const [memory, state] = ['memory.', 'state.'].map((prefix) =>
      (start?.outputs ?? []).filter((name) => name.startsWith(prefix)),
    ) as [string[], string[]];
    expect(state.length).toBeGreaterThan(0);
    expect(step?.inputs).toEqual([
      ...memory,
      ...state,
      ...['tokens', 'positions', 'parents', 'parentOf', 'childOf'],
      ...['scores', 'excluded', 'penalties', 'width', 'count'],
    ]);
    const next = state.map((name) => name.replace('state.', 'next.'));
    const attention = family === 'show-attend-tell' ? ['attention'] : [];
    expect(step?.outputs).toEqual(['values', 'indices', ...next, ...attention]);
  });

  it('reorder the state and find the best continuations inside', () => {
    expect(countOf(step, 'TopK')).toBe(1);
    const reordered = step?.nodes.filter(({ inputs }) => inputs[1] === 'parents');
    expect(reordered?.map(({ operator }) => operator)).toEqual(
      Array(start?.outputs.filter((name) => name.startsWith('state.')).length).fill('Gather'),
    );
  });

  it('transpose only what ONNX Runtime takes into a product', async () => {
    const transposed = step?.nodes.filter(({ operator }) => operator === 'Transpose') ?? [];
    expect(transposed).toHaveLength(family === 'show-attend-tell' ? 2 : 0);
    const products = step?.nodes.filter(({ operator }) => operator === 'MatMul') ?? [];
    const factors = products.flatMap(({ inputs }) => inputs);
    for (const { outputs } of transposed) expect(factors).toContain(outputs[0]);
    const optimised = await optimise(exportOnnx(tinyBundle(family, words)), 'decoder-step.onnx');
    expect(countOf(optimised, 'Transpose')).toBe(0);
    expect(countOf(optimised, 'FusedMatMul')).toBe(transposed.length);
  });

  it('hold nothing that the outputs do not need', () => {
    // What words bring to the LSTM is derived when a decoder is built, and is of no use to a start.
    expect(start?.initializers).not.toContain('embedding');
    expect(step?.initializers).toContain('embedding');
  });

  it('name every value once', () => {
    for (const graph of graphs.values()) {
      const names = [
        ...graph.inputs,
        ...graph.initializers,
        ...graph.nodes.flatMap(({ outputs }) => outputs),
      ];
      expect(new Set(names).size).toBe(names.length);
      const used = graph.nodes.flatMap(({ inputs }) => inputs);
      expect(used.filter((name) => !names.includes(name))).toEqual([]);
      expect(graph.initializers.filter((name) => !used.includes(name))).toEqual([]);
      expect(graph.outputs.filter((name) => !names.includes(name))).toEqual([]);
    }
  });

  it('are the same whenever they are recorded', () => {
    expect(exportOnnx(tinyBundle(family, words))).toEqual(exportOnnx(tinyBundle(family, words)));
  });
});
