/**
 * Puts an ONNX graph together, node by node: gives every value a name, and holds each constant
 * once. It knows the format, and nothing of models.
 */
import { toFloat16 } from '../../float16.ts';
import type { WeightType } from '../../weights.ts';
import type {
  ElementType,
  OnnxAttributes,
  OnnxGraph,
  OnnxInitializer,
  OnnxNode,
  OnnxValue,
} from './onnx-model.ts';
import type { ConstantTensor } from './recorded-tensor.ts';

/** Something that a graph computes or is given. Its name is settled when the graph is finished. */
export interface GraphValue {
  name: string;
  type: ElementType;
}

interface Node extends Pick<OnnxNode, 'operator' | 'isRuntimes' | 'attributes'> {
  inputs: readonly GraphValue[];
  outputs: readonly GraphValue[];
}

/** TensorProto.DataType of what values are cast to. */
export const castTargets = { float32: 1, int32: 6, float16: 10 } as const;

export class GraphBuilder {
  readonly #weightType: WeightType;
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, OnnxInitializer>();
  /** Weights that are stored in float16, as the graph uses them. */
  readonly #widened = new Map<string, GraphValue>();
  readonly #inputs: OnnxValue[] = [];
  readonly #outputs: OnnxValue[] = [];
  /** Values that nodes compute and that bear no name of meaning yet. */
  readonly #unnamed = new Set<GraphValue>();

  /** In the place of an input that an operator can do without. */
  readonly absent: GraphValue = { name: '', type: 'float32' };

  constructor(weightType: WeightType = 'float32') {
    this.#weightType = weightType;
  }

  input(name: string, type: ElementType, shape: OnnxValue['shape']): GraphValue {
    this.#inputs.push({ name, type, shape });
    return { name, type };
  }

  /** Of the same name are the same values. */
  constant({ name, shape, values, isWeight, codes }: ConstantTensor): GraphValue {
    if (codes) {
      const bytes = () => bytesOf(Int8Array.from(values()));
      return this.#initializer({ name, type: codes, shape, bytes, isWeight });
    }
    if (isWeight && this.#weightType === 'float16') return this.#float16Weight(name, shape, values);
    return this.#initializer({
      name,
      type: 'float32',
      shape,
      bytes: () => bytesOf(values()),
      isWeight,
    });
  }

  scalar(value: number): GraphValue {
    const name = `scalar.${value}`;
    const values = () => Float32Array.of(value);
    return this.constant({ kind: 'constant', name, shape: [], values, isWeight: false });
  }

  /** A list of sizes or axes; of the same values there is one. */
  int64(values: readonly number[]): GraphValue {
    const bytes = () => bytesOf(BigInt64Array.from(values, (value) => BigInt(value)));
    const shape = [values.length];
    return this.#initializer({ name: `[${values}]`, type: 'int64', shape, bytes, isWeight: false });
  }

  /** One operation with one result, of its first input's type unless told otherwise. */
  node(
    operator: string,
    inputs: readonly [GraphValue, ...GraphValue[]],
    attributes: OnnxAttributes = {},
    type: ElementType = inputs[0].type,
  ): GraphValue {
    const [output] = this.nodes(operator, inputs, attributes, [type]);
    return output as GraphValue;
  }

  /** As `node`, of an operator that ONNX Runtime has beside ONNX's own. */
  runtimeNode(
    operator: string,
    inputs: readonly [GraphValue, ...GraphValue[]],
    attributes: OnnxAttributes,
  ): GraphValue {
    const [output] = this.nodes(operator, inputs, attributes, [inputs[0].type], true);
    return output as GraphValue;
  }

  /** One operation with several results. */
  nodes(
    operator: string,
    inputs: readonly GraphValue[],
    attributes: OnnxAttributes,
    types: readonly ElementType[],
    isRuntimes = false,
  ): GraphValue[] {
    const number = this.#nodes.length;
    const outputs = types.map((type, index) => ({
      name: `${operator}.${number}${index === 0 ? '' : `.${index}`}`,
      type,
    }));
    this.#nodes.push({ operator, isRuntimes, inputs, outputs, attributes });
    for (const output of outputs) this.#unnamed.add(output);
    return outputs;
  }

  output(name: string, value: GraphValue, shape: OnnxValue['shape']): void {
    // A value has one name: inputs, constants and results under a second name are copies.
    const own = this.#unnamed.has(value) ? value : this.node('Identity', [value]);
    this.#unnamed.delete(own);
    own.name = name;
    this.#outputs.push({ name, type: own.type, shape });
  }

  /** What outputs do not depend on is left out. */
  finish(name: string): OnnxGraph {
    const namesOf = (values: readonly GraphValue[]) => values.map((value) => value.name);
    const needed = new Set(namesOf(this.#outputs));
    const nodes = this.#nodes.toReversed().filter(({ inputs, outputs }) => {
      if (!outputs.some((output) => needed.has(output.name))) return false;
      for (const input of inputs) needed.add(input.name);
      return true;
    });
    return {
      name,
      nodes: nodes.reverse().map(({ inputs, outputs, ...node }) => ({
        ...node,
        inputs: namesOf(inputs),
        outputs: namesOf(outputs),
      })),
      initializers: [...this.#initializers.values()].filter((each) => needed.has(each.name)),
      inputs: this.#inputs,
      outputs: this.#outputs,
    };
  }

  #float16Weight(name: string, shape: readonly number[], values: () => Float32Array): GraphValue {
    const known = this.#widened.get(name);
    if (known) return known;
    const bytes = () => bytesOf(toFloat16(values()));
    const stored = this.#initializer({ name, type: 'float16', shape, bytes, isWeight: true });
    const widened = this.node('Cast', [stored], { to: castTargets.float32 }, 'float32');
    this.#widened.set(name, widened);
    return widened;
  }

  #initializer(initializer: OnnxInitializer): GraphValue {
    const { name, type } = initializer;
    if (!this.#initializers.has(name)) this.#initializers.set(name, initializer);
    return { name, type };
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
