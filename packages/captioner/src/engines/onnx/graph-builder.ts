/**
 * Puts an ONNX graph together, node by node: gives every value a name, and holds each constant
 * once. It knows the format, and nothing of models.
 */
import type { ElementType, OnnxGraph, OnnxValue } from './onnx-model.ts';

/** Something that a graph computes or is given. Its name is settled when the graph is finished. */
export interface GraphValue {
  name: string;
  type: ElementType;
}

type Attributes = Readonly<Record<string, number | readonly number[]>>;

interface Node {
  operator: string;
  inputs: readonly GraphValue[];
  outputs: readonly GraphValue[];
  attributes: Attributes;
}

export class GraphBuilder {
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, OnnxGraph['initializers'][number]>();
  readonly #inputs: OnnxValue[] = [];
  readonly #outputs: OnnxValue[] = [];
  /** Values that nodes compute and that bear no name of meaning yet. */
  readonly #unnamed = new Set<GraphValue>();

  input(name: string, type: ElementType, shape: OnnxValue['shape']): GraphValue {
    this.#inputs.push({ name, type, shape });
    return { name, type };
  }

  /** A constant; of the same name are the same values. */
  float32(name: string, values: Float32Array, shape: readonly number[]): GraphValue {
    return this.#initializer(name, 'float32', values, shape);
  }

  /** A list of sizes or axes; of the same values there is one. */
  int64(values: readonly number[]): GraphValue {
    return this.#initializer(
      `[${values}]`,
      'int64',
      BigInt64Array.from(values, (value) => BigInt(value)),
      [values.length],
    );
  }

  /** One operation with one result, of its first input's type unless told otherwise. */
  node(
    operator: string,
    inputs: readonly [GraphValue, ...GraphValue[]],
    attributes: Attributes = {},
    type: ElementType = inputs[0].type,
  ): GraphValue {
    const [output] = this.nodes(operator, inputs, attributes, [type]);
    return output as GraphValue;
  }

  /** One operation with several results. */
  nodes(
    operator: string,
    inputs: readonly GraphValue[],
    attributes: Attributes,
    types: readonly ElementType[],
  ): GraphValue[] {
    const number = this.#nodes.length;
    const outputs = types.map((type, index) => ({
      name: `${operator}.${number}${index === 0 ? '' : `.${index}`}`,
      type,
    }));
    this.#nodes.push({ operator, inputs, outputs, attributes });
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

  finish(name: string): OnnxGraph {
    const namesOf = (values: readonly GraphValue[]) => values.map((value) => value.name);
    return {
      name,
      nodes: this.#nodes.map(({ operator, inputs, outputs, attributes }) => ({
        operator,
        inputs: namesOf(inputs),
        outputs: namesOf(outputs),
        attributes,
      })),
      initializers: [...this.#initializers.values()],
      inputs: this.#inputs,
      outputs: this.#outputs,
    };
  }

  #initializer(
    name: string,
    type: ElementType,
    values: Float32Array | BigInt64Array,
    shape: readonly number[],
  ): GraphValue {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    if (!this.#initializers.has(name)) this.#initializers.set(name, { name, type, shape, bytes });
    return { name, type };
  }
}
