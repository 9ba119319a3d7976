import type { Carried } from './list-columns.ts';

/** A row of a list, as whoever reads its format gives it; what the list does not say is undefined. */
export interface ListRow extends Carried {
  /** Its line, or its number, from 1. */
  at: number;
  key: string;
  etag?: string | undefined;
  bytes?: number | undefined;
  /** As S3 names it. */
  storageClass?: string | undefined;
  /** It has to be restored first. */
  archived?: boolean | undefined;
}
