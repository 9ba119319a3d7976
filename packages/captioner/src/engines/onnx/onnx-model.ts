/**
 * The part of the ONNX format that recorded models need (https://onnx.ai/onnx/repo-docs/IR.html),
 * and its bytes: Protocol Buffers, with the field numbers of onnx.proto3.
 */
import { createHash } from 'node:crypto';
import { PbfWriter } from 'pbf';
import { elementCount } from '../../weights.ts';

/** Operators mean what this version of the operator set says; the IR version goes with it. */
const opsetVersion = 20;
const irVersion = 9;

/** ONNX Runtime's own operators, whose version does not change. */
const runtimeDomain = 'com.microsoft';

export interface OnnxGraph {
  name: string;
  /** In an order in which each finds its inputs computed. */
  nodes: OnnxNode[];
  initializers: OnnxInitializer[];
  inputs: OnnxValue[];
  outputs: OnnxValue[];
}

export interface OnnxNode {
  operator: string;
  /** One of ONNX Runtime's own, which other programs do not know. */
  isRuntimes: boolean;
  inputs: string[];
  outputs: string[];
  attributes: OnnxAttributes;
}

/** Plain numbers are integers. */
export type OnnxAttributes = Readonly<
  Record<string, number | readonly number[] | { float: number } | { text: string }>
>;

export interface OnnxInitializer {
  name: string;
  type: ElementType;
  shape: readonly number[];
  /** Of its values, little-endian; made when they are asked for. */
  bytes: () => Uint8Array;
  /** Whether it is a weight, whose values follow from its name and the model. */
  isWeight: boolean;
}

export interface OnnxValue {
  name: string;
  type: ElementType;
  /** A string names a dimension that is known when the graph runs. */
  shape: readonly (number | string)[];
}

/** TensorProto.DataType */
const elementTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float16: 10 } as const;

export type ElementType = keyof typeof elementTypes;

const elementBytes: Readonly<Record<ElementType, number>> = {
  ...{ float32: 4, uint8: 1, int8: 1, int32: 4, int64: 8, float16: 2 },
};

/** The contents of an .onnx file. Deterministic. */
export function formatOnnxModel(graph: OnnxGraph): Uint8Array {
  const writer = new PbfWriter(new Uint8Array(bytesAtMost(graph)));
  writer.writeVarintField(1, irVersion);
  writer.writeStringField(2, 'cutline');
  writer.writeMessage(7, writeGraph, graph);
  writer.writeMessage(8, writeOpset, { domain: '', version: opsetVersion });
  if (graph.nodes.some(({ isRuntimes }) => isRuntimes)) {
    writer.writeMessage(8, writeOpset, { domain: runtimeDomain, version: 1 });
  }
  return writer.finish();
}

/** Of its weights. */
export function initializerBytes({ initializers }: Pick<OnnxGraph, 'initializers'>): number {
  return initializers.reduce(
    (sum, { type, shape }) => sum + elementBytes[type] * elementCount(shape),
    0,
  );
}

/**
 * Room for all of a file. A writer that has none doubles what it has, and holds both for a while:
 * three times as much as the largest model's weights.
 */
function bytesAtMost(graph: OnnxGraph): number {
  const entries = graph.nodes.length + graph.initializers.length;
  return initializerBytes(graph) + 1024 * (entries + 1);
}

/** The same for two graphs of one model that compute the same: what is in it but its weights. */
export function fingerprint({ initializers, ...graph }: OnnxGraph): string {
  const constants = initializers.map(({ bytes, ...initializer }) => ({
    ...initializer,
    ...(!initializer.isWeight && { bytes: [...bytes()] }),
  }));
  return createHash('sha256')
    .update(JSON.stringify({ ...graph, constants, opsetVersion }))
    .digest('hex')
    .slice(0, 12);
}

function writeOpset(
  { domain, version }: { domain: string; version: number },
  writer: PbfWriter,
): void {
  if (domain) writer.writeStringField(1, domain);
  writer.writeVarintField(2, version);
}

function writeGraph(graph: OnnxGraph, writer: PbfWriter): void {
  for (const node of graph.nodes) writer.writeMessage(1, writeNode, node);
  writer.writeStringField(2, graph.name);
  for (const initializer of graph.initializers) {
    writer.writeMessage(5, writeInitializer, initializer);
  }
  for (const input of graph.inputs) writer.writeMessage(11, writeValue, input);
  for (const output of graph.outputs) writer.writeMessage(12, writeValue, output);
}

function writeNode(
  { operator, isRuntimes, inputs, outputs, attributes }: OnnxNode,
  writer: PbfWriter,
): void {
  for (const input of inputs) writer.writeStringField(1, input);
  for (const output of outputs) writer.writeStringField(2, output);
  writer.writeStringField(3, outputs[0] as string); // the node's name
  writer.writeStringField(4, operator);
  for (const attribute of Object.entries(attributes)) {
    writer.writeMessage(5, writeAttribute, attribute);
  }
  if (isRuntimes) writer.writeStringField(7, runtimeDomain);
}

/** AttributeProto.AttributeType */
const attributeTypes = { float: 1, int: 2, string: 3, ints: 7 } as const;

function writeAttribute([name, value]: [string, OnnxAttributes[string]], writer: PbfWriter): void {
  writer.writeStringField(1, name);
  const typed = (type: keyof typeof attributeTypes) =>
    writer.writeVarintField(20, attributeTypes[type]);
  if (typeof value === 'number') {
    writer.writeVarintField(3, value);
    typed('int');
  } else if ('float' in value) {
    writer.writeFloatField(2, value.float);
    typed('float');
  } else if ('text' in value) {
    writer.writeStringField(4, value.text);
    typed('string');
  } else {
    for (const integer of value) writer.writeVarintField(8, integer);
    typed('ints');
  }
}

function writeInitializer({ name, type, shape, bytes }: OnnxInitializer, writer: PbfWriter): void {
  for (const dimension of shape) writer.writeVarintField(1, dimension);
  writer.writeVarintField(2, elementTypes[type]);
  writer.writeStringField(8, name);
  writer.writeBytesField(9, bytes());
}

function writeValue({ name, type, shape }: OnnxValue, writer: PbfWriter): void {
  writer.writeStringField(1, name);
  writer.writeMessage(2, writeType, { type, shape });
}

/** TypeProto: a tensor is the first of its alternatives. */
function writeType(value: Pick<OnnxValue, 'type' | 'shape'>, writer: PbfWriter): void {
  writer.writeMessage(1, writeTensorType, value);
}

function writeTensorType(
  { type, shape }: Pick<OnnxValue, 'type' | 'shape'>,
  writer: PbfWriter,
): void {
  writer.writeVarintField(1, elementTypes[type]);
  writer.writeMessage(2, writeShape, shape);
}

function writeShape(shape: OnnxValue['shape'], writer: PbfWriter): void {
  for (const dimension of shape) writer.writeMessage(1, writeDimension, dimension);
}

function writeDimension(dimension: number | string, writer: PbfWriter): void {
  if (typeof dimension === 'number') writer.writeVarintField(1, dimension);
  else writer.writeStringField(2, dimension);
}
