import { listImages } from '@cutline/shared/listing';

export interface ListingCounts {
  images: number;
  /** Known sizes only: lists of keys do not say them. */
  bytes: number;
  skippedByReason: Record<string, number>;
  /** The first few keys, to see whether the selection is what was meant. */
  examples: string[];
}

/** What a run would list, for `--dry-run`. */
export async function countListing(
  ...listing: Parameters<typeof listImages>
): Promise<ListingCounts> {
  const counts: ListingCounts = { images: 0, bytes: 0, skippedByReason: {}, examples: [] };
  for await (const image of listImages(...listing)) {
    if (image.skipped) {
      const reasons = counts.skippedByReason;
      reasons[image.skipped] = (reasons[image.skipped] ?? 0) + 1;
      continue;
    }
    counts.images += 1;
    counts.bytes += image.bytes ?? 0;
    if (counts.examples.length < 5) counts.examples.push(image.key);
  }
  return counts;
}
