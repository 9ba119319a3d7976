/** Reads what tests ask of an .onnx file, independently of what wrote it (field numbers: onnx.proto3). */
import { PbfReader } from 'pbf';

export interface ReadNode {
  operator: string;
  inputs: string[];
  outputs: string[];
}

export interface ReadGraph {
  name: string;
  nodes: ReadNode[];
  /** Names. */
  initializers: string[];
  inputs: string[];
  outputs: string[];
}

export function readOnnx(bytes: Uint8Array): ReadGraph {
  const graph: ReadGraph = { name: '', nodes: [], initializers: [], inputs: [], outputs: [] };
  return new PbfReader(bytes).readFields((tag, result, reader) => {
    if (tag === 7) reader.readMessage(readGraphField, result);
  }, graph);
}

function readGraphField(tag: number, graph: ReadGraph, reader: PbfReader): void {
  if (tag === 1) {
    graph.nodes.push(
      reader.readMessage(readNodeField, { operator: '', inputs: [], outputs: [] } as ReadNode),
    );
  } else if (tag === 2) graph.name = reader.readString();
  else if (tag === 5) graph.initializers.push(readName(reader, 8));
  else if (tag === 11) graph.inputs.push(readName(reader, 1));
  else if (tag === 12) graph.outputs.push(readName(reader, 1));
}

function readNodeField(tag: number, node: ReadNode, reader: PbfReader): void {
  if (tag === 1) node.inputs.push(reader.readString());
  else if (tag === 2) node.outputs.push(reader.readString());
  else if (tag === 4) node.operator = reader.readString();
}

/** Of a message whose name is its field `nameTag`. */
function readName(reader: PbfReader, nameTag: number): string {
  const named = { name: '' };
  return reader.readMessage((tag, result, inner) => {
    if (tag === nameTag) result.name = inner.readString();
  }, named).name;
}
