/**
 * Checkpoints of the published architectures with random weights, made by the bench's program that
 * makes those of full size. fixtures/tiny-published.json is what the reference makes of them.
 */
import { readFileSync } from 'node:fs';
import type { PublishedCheckpoint, WeightArray } from '@cutline/captioner';
import {
  type Architecture,
  tinyArchitectures,
} from '../../../../bench/published/architectures.mjs';
import { settingsOf } from '../../../../bench/published/settings.mjs';
import { randomTensors } from '../../../../bench/published/write-checkpoint.mjs';
import type { Expected, PublishedCase } from './published-cases.ts';

interface Fixture extends Expected {
  encoder: number[];
  tokenIds: number[][];
  logProbs: number[];
}

const fixture = new URL('../fixtures/tiny-published.json', import.meta.url);

const images = 2;

/** So that captions differ from image to image, and some of each family end before they are cut off. */
const deviation = 0.3;
const seeds: Record<string, number> = { 'tiny-blip': 13, 'tiny-git': 3, 'tiny-vit-gpt2': 16 };

export function randomCases(): PublishedCase[] {
  const references: Record<string, Fixture> = JSON.parse(readFileSync(fixture, 'utf8'));
  return Object.entries(references).map(([name, { encoder, tokenIds, logProbs, ...expected }]) => {
    const architecture = tinyArchitectures[name];
    if (!architecture) throw new Error(`there is no architecture '${name}'`);
    return {
      name,
      checkpoint: randomCheckpoint(architecture, seeds[name] ?? 1),
      images,
      pixelsFor: () => madeUpPixels(architecture.vision.image),
      encoder: Float32Array.from(encoder),
      tokenIds,
      logProbs: Float32Array.from(logProbs),
      expected,
    };
  });
}

function randomCheckpoint(architecture: Architecture, seed: number): PublishedCheckpoint {
  const tensors = new Map<string, WeightArray>();
  const randomness = { seed, deviation };
  for (const { name, shape, values } of randomTensors(architecture, randomness)) {
    tensors.set(name, { shape, data: values });
  }
  const settings = settingsOf(architecture);
  return {
    config: settings['config.json'],
    generation: settings['generation_config.json'],
    preprocessor: settings['preprocessor_config.json'],
    tokenizer: Buffer.from(JSON.stringify(settings['tokenizer.json'])),
    tokenizerConfig: settings['tokenizer_config.json'],
    has: (tensor) => tensors.has(tensor),
    async read(tensor) {
      const found = tensors.get(tensor);
      if (!found) throw new Error(`there is no tensor '${tensor}'`);
      return found;
    },
  };
}

/** As make-tiny-published.py makes them: `[B,side,side,3]`. */
function madeUpPixels(side: number): Float32Array {
  return Float32Array.from({ length: images * side * side * 3 }, (_, at) => {
    const [channel, place] = [at % 3, Math.floor(at / 3)];
    const [x, y, image] = [
      place % side,
      Math.floor(place / side) % side,
      Math.floor(place / side ** 2),
    ];
    return (7 * x + 13 * y + 50 * channel + 101 * image) % 256;
  });
}
