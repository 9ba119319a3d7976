/**
 * What the reference implementation says of a checkpoint, whoever made it: those that were trained,
 * and lie beside the repository, are read here.
 */
import { readdirSync } from 'node:fs';
import {
  type ModelBundle,
  type PublishedCheckpoint,
  parseSafetensors,
  type WeightArray,
} from '@cutline/captioner';
import { checkpointOf, fileOf, json, publishedFolder, readFolder } from './published-files.ts';

export interface PublishedCase {
  name: string;
  checkpoint: PublishedCheckpoint;
  /** B */
  images: number;
  /** `[B,H,W,3]` in 0..255 */
  pixelsFor(bundle: ModelBundle): Float32Array;
  /** `[B,L,D]` */
  encoder: Float32Array;
  /** `[B,T]`: a sentence each, with the start token. */
  tokenIds: number[][];
  /** `[B,T,V]`: after each of its tokens. */
  logProbs: Float32Array;
  expected: Expected;
}

export interface Expected {
  generate: Record<'greedy' | 'beam3' | 'beam4_norepeat', Generated>;
  prompt?: { text: string; beam3_sequences: number[][]; beam3_text: string[] };
  /** Without special tokens. */
  texts: { text: string; ids: number[] }[];
  decode: { text: string; ids: number[] }[];
}

interface Generated {
  /** With the start token, and padded after the end. */
  sequences: number[][];
  text: string[];
  scores?: number[];
}

export function trainedCases(): PublishedCase[] {
  const names = readdirSync(publishedFolder).filter((name) => !name.includes('.'));
  return names.map((name) => {
    const files = readFolder(new URL(`${name}/`, publishedFolder));
    const golden = parseGolden(fileOf(files, 'expected.safetensors'));
    const valuesOf = (tensor: string) => golden.get(tensor) as WeightArray;
    const pixels = valuesOf('pixel_values');
    const [images = 0, length = 0] = valuesOf('token_ids').shape;
    const ids = [...new Int32Array(valuesOf('token_ids').data.slice().buffer)];
    const expected = json(files, 'expected.json') as Expected;
    const wraps = name !== 'vitgpt2'; // in [CLS] and [SEP]
    return {
      name,
      checkpoint: checkpointOf(files),
      images,
      pixelsFor: (bundle) => bytesOf(pixels, bundle),
      encoder: valuesOf('encoder').data,
      tokenIds: Array.from({ length: images }, (_, n) => ids.slice(n * length, (n + 1) * length)),
      logProbs: valuesOf('log_probs').data,
      expected: {
        ...expected,
        texts: expected.texts.map(({ text, ids }) => ({
          text,
          ids: wraps ? ids.slice(1, -1) : ids,
        })),
      },
    };
  });
}

/** Integers are read as the floats of the same bits: no weights are of integers. */
function parseGolden(bytes: Uint8Array) {
  const text = Buffer.from(bytes).toString('latin1').replaceAll('"I32"', '"F32"');
  return parseSafetensors(Buffer.from(text, 'latin1'), 'expected.safetensors');
}

/** Normalised `[B,3,H,W]` → as an encoder wants them: `[B,H,W,3]` in 0..255. */
function bytesOf({ data, shape }: WeightArray, { description }: ModelBundle): Float32Array {
  const [images = 0, , height = 0, width = 0] = shape;
  const { mean, std } = description.preprocessing;
  const pixels = new Float32Array(data.length);
  const area = height * width;
  for (let image = 0; image < images; image++) {
    for (const channel of [0, 1, 2] as const) {
      for (let at = 0; at < area; at++) {
        const value = data[(image * 3 + channel) * area + at] as number;
        pixels[(image * area + at) * 3 + channel] = 255 * (value * std[channel] + mean[channel]);
      }
    }
  }
  return pixels;
}
