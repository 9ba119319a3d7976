import { isDeepStrictEqual } from 'node:util';
import type { RetryClass } from '../errors.ts';
import { compareKeys } from '../stores/key-order.ts';
import { type Claim, generationOf } from './claim.ts';
import type { ImageRef } from './image-ref.ts';
import type { PartRow } from './part.ts';

/**
 * Which row of an image counts, where several attempts have one: the rule that all readers share.
 * A caption wins over a failure, then the later generation, then the attempt whose name comes last
 * (of the same generation, that is the later division). Of kept features it is the same rule: an
 * image that was encoded wins over one that was not.
 */

/** What an attempt found of an image: a row of a part, or an image of kept features. */
type Found = Pick<PartRow, 'key' | 'source'> &
  ({ status: 'captioned' | 'encoded' | 'failed' } | { status: 'skipped'; reason: string });

/** A part that was read: rows of an attempt at a batch. */
export interface ReadPart<Row extends Found = PartRow> {
  attempt: string;
  rows: readonly Row[];
}

/** An image of a batch, with the row that counts. */
export interface SettledImage<P extends ReadPart<Found>> {
  image: ImageRef;
  /** undefined where no attempt has one. */
  row: P['rows'][number] | undefined;
  part: P | undefined;
}

/** @returns one entry an image, in the batch's order. */
export function settleBatch<P extends ReadPart<Found>>(
  images: readonly ImageRef[],
  parts: readonly P[],
): SettledImage<P>[] {
  const winners = new Map<string, { row: P['rows'][number]; part: P }>();
  for (const part of parts) {
    for (const row of part.rows) {
      const name = rowName(row);
      const other = winners.get(name);
      if (!other || wins({ row, part }, other)) winners.set(name, { row, part });
    }
  }
  return images.map((image) => {
    const winner = winners.get(imageName(image));
    return { image, row: winner?.row, part: winner?.part };
  });
}

interface Contender {
  row: Found;
  part: Pick<ReadPart, 'attempt'>;
}

function wins(a: Contender, b: Contender): boolean {
  const captions = Number(isDone(a.row)) - Number(isDone(b.row));
  if (captions !== 0) return captions > 0;
  const generations = generationOf(a.part.attempt) - generationOf(b.part.attempt);
  if (generations !== 0) return generations > 0;
  return compareKeys(a.part.attempt, b.part.attempt) > 0;
}

function isDone({ status }: Found): boolean {
  return status === 'captioned' || status === 'encoded';
}

/**
 * Whether an image has to be tried (again): it has no row, or a failure that is to be retried, or
 * was archived when it was listed and is said to be restored.
 */
export function needsWork(
  { row, part }: SettledImage<ReadPart>,
  claims: readonly Pick<Claim, 'generation' | 'retry'>[],
): boolean {
  if (!row || !part) return true;
  const retryClass = retryClassOf(row);
  if (!retryClass) return false;
  const generation = generationOf(part.attempt);
  return claims.some((claim) => claim.generation > generation && claim.retry.includes(retryClass));
}

function retryClassOf(row: PartRow): RetryClass | undefined {
  if (row.status === 'failed') return row.failure.class;
  return row.status === 'skipped' && row.reason === 'archived' ? 'archived' : undefined;
}

/** What a row says of an image that its manifest does not, in words; undefined where that is nothing. */
export function disagreement({ key, source, sameAs }: ImageRef, row: PartRow): string | undefined {
  if (!isDeepStrictEqual(row.source, source)) {
    return 'carries something else than the list of keys says';
  }
  const isCopy = row.status === 'captioned' && row.duplicateOf !== undefined;
  return isCopy && (sameAs === undefined || row.duplicateOf === key)
    ? 'has the caption of an image that is not the same'
    : undefined;
}

/** The image of `needsWork`, as a job is to have it: what is tried again is not skipped again. */
export function imageToTry({ image, row }: SettledImage<ReadPart>): ImageRef {
  const { skipped, ...rest } = image;
  return row && skipped === 'archived' ? rest : image;
}

/**
 * A key may be listed more than once: to be captioned, and again to be skipped as a duplicate, any
 * number of times. The rows of its repeats are alike but for what they carry, so one stands for each
 * of those that carry the same. What is no image has one name, whether that was seen when it was
 * listed or when it was opened.
 */
export function imageName({ key, skipped, source }: ImageRef): string {
  return skipped === 'duplicate' ? repeatName(key, source) : `- ${key}`;
}

/** The same, of what an attempt found. */
export function rowName(row: Found): string {
  const isRepeat = row.status === 'skipped' && row.reason === 'duplicate';
  return isRepeat ? repeatName(row.key, row.source) : `- ${row.key}`;
}

function repeatName(key: string, source: ImageRef['source']): string {
  return `duplicate${source ? JSON.stringify(source) : ''} ${key}`;
}
