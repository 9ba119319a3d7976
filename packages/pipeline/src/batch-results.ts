import type { CaptionOutcome, EncodeOutcome } from '@cutline/inference';
import type { EncodedImage, Failure, ImageRef, PartRow } from '@cutline/shared/run';

/**
 * How results of the two stages become rows, the same for the workers and for one process.
 */

/**
 * Puts outcomes beside their images, in the batch's order.
 *
 * @param outcomes one for each image that is not skipped, in order.
 * @param defer whether images whose store was unavailable wait for a later batch; else they fail.
 */
export function applyOutcomes(
  refs: readonly ImageRef[],
  outcomes: readonly EncodeOutcome[],
  { defer }: { defer: boolean },
): { images: EncodedImage[]; deferred: ImageRef[] } {
  const images: EncodedImage[] = [];
  const deferred: ImageRef[] = [];
  let next = 0;
  for (const ref of refs) {
    const { key, etag, columns, source } = ref;
    const own = source && { source };
    const carried = { ...(columns && { columns }), ...own };
    if (ref.skipped) {
      images.push({ status: 'skipped', key, etag, reason: ref.skipped, ...own });
      continue;
    }
    const outcome = outcomes[next++]!;
    if (outcome.status === 'encoded') {
      images.push({ ...outcome, key, ...carried });
    } else if (outcome.status === 'skipped') {
      images.push({ ...outcome, key, etag, ...own });
    } else if (outcome.status === 'failed') {
      images.push({ status: 'failed', key, etag, failure: outcome.failure, ...carried });
    } else if (defer) {
      deferred.push(ref);
    } else {
      const failure: Failure = { class: 'unavailable', message: outcome.message };
      images.push({ status: 'failed', key, etag, failure, ...carried });
    }
  }
  return { images, deferred };
}

/** @param captions one for each encoded image, in order. */
export function toPartRows(
  images: readonly EncodedImage[],
  captions: readonly CaptionOutcome[],
  model: string,
): PartRow[] {
  let next = 0;
  return images.map((image): PartRow => {
    if (image.status === 'skipped') return image;
    if (image.status === 'failed') {
      const { columns, ...row } = image;
      return row;
    }
    const { key, etag, source, width, height, warnings: seen = [] } = image;
    const own = source && { source };
    const found = captions[next++]!;
    if ('failure' in found) return { key, etag, ...own, status: 'failed', ...found };
    const { caption, logProb, score, candidates, attention, warnings: said = [], ...rest } = found;
    const row = { key, etag, ...own, status: 'captioned' as const, caption, logProb, score };
    const warnings = [...seen, ...said];
    return {
      ...{ ...row, candidates, width, height, model },
      ...(attention && { attention }),
      ...rest,
      ...(warnings.length > 0 && { warnings }),
    };
  });
}
