/** Which images a reviewer wants to see, and in which order. */
import { captionOf, type Judgement } from '@cutline/shared/run';
import type { Opening, Query } from './client/messages.ts';
import type { ImageIndex, IndexedImage } from './image-index.ts';

/**
 * @param judge what counts of an image, where somebody has judged it
 * @param seed of the order by chance: the same one gives the same order
 * @returns numbers of images
 */
export function chooseImages(
  { images }: Pick<ImageIndex, 'images'>,
  query: Query,
  judge: (image: IndexedImage) => Judgement | undefined,
  seed: number,
): Uint32Array {
  const terms = fold(query.search).split(/\s+/).filter(Boolean);
  const isWanted = (image: IndexedImage) =>
    isOfKind(image, query.kind) &&
    isWithin(image.score, query) &&
    isInState(judge(image), query.state) &&
    isFound(image, judge, terms);
  const chosen = new Uint32Array(images.length);
  let count = 0;
  for (const [n, image] of images.entries()) if (isWanted(image)) chosen[count++] = n;
  return inOrder(chosen.subarray(0, count), images, query.order, seed);
}

/** Kinds that images are of, the most frequent first after captions as such. */
export function kindsOf(images: Iterable<IndexedImage>): Opening['kinds'] {
  const counts = new Map<string, number>([['captioned', 0]]);
  const add = (kind: string) => counts.set(kind, (counts.get(kind) ?? 0) + 1);
  for (const { failure, warnings } of images) {
    if (failure === undefined) add('captioned');
    else {
      add('failed');
      add(`failed:${failure}`);
    }
    for (const warning of new Set(warnings)) add(`warning:${warning}`);
  }
  const [captioned, ...others] = [...counts].map(([kind, images]) => ({ kind, images }));
  const frequent = others.toSorted((a, b) => b.images - a.images).slice(0, kindsMax);
  return captioned ? [captioned, ...frequent] : frequent;
}

/** As many as a person would choose from. */
const kindsMax = 30;

function isOfKind({ failure, warnings }: IndexedImage, kind: string): boolean {
  if (kind === 'captioned') return failure === undefined;
  if (kind === 'failed') return failure !== undefined;
  if (kind.startsWith('warning:')) return warnings.includes(kind.slice('warning:'.length));
  return failure !== undefined && kind === `failed:${failure}`;
}

/** What has no score is within no bounds. */
function isWithin(score: number | null, { scoreMin, scoreMax }: Query): boolean {
  if (scoreMin === null && scoreMax === null) return true;
  if (score === null) return false;
  return score >= (scoreMin ?? -Infinity) && score <= (scoreMax ?? Infinity);
}

function isInState(judgement: Judgement | undefined, state: Query['state']): boolean {
  if (state === 'any') return true;
  if (state === 'open' || state === 'reviewed') return (state === 'open') === !judgement;
  return judgement?.decision === state;
}

function isFound(
  image: IndexedImage,
  judge: (image: IndexedImage) => Judgement | undefined,
  terms: readonly string[],
): boolean {
  if (terms.length === 0) return true;
  const judgement = judge(image);
  const written = judgement ? captionOf(judgement) : null;
  const text = fold([image.caption, written, image.key].join('\n'));
  return terms.every((term) => text.includes(term));
}

/** Case and accents make no difference. */
function fold(text: string): string {
  return text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
}

function inOrder(
  chosen: Uint32Array,
  images: readonly IndexedImage[],
  order: Query['order'],
  seed: number,
): Uint32Array {
  if (order === 'listing') return chosen;
  if (order === 'random') {
    return chosen.sort((a, b) => shuffled(a, seed) - shuffled(b, seed) || a - b);
  }
  // What has no score comes first among the least certain: nothing is known of it.
  const score = (n: number) => images[n]?.score ?? -Number.MAX_VALUE;
  const sign = order === 'least-certain' ? 1 : -1;
  return chosen.sort((a, b) => sign * (score(a) - score(b)) || a - b);
}

/** A number that depends on both in no way that anybody would see (the mixer of MurmurHash3). */
function shuffled(n: number, seed: number): number {
  let mixed = (n ^ seed) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
