import { z } from 'zod';
import { UserError } from '../../../errors.ts';
import type { KnownList } from '../list-format.ts';

/**
 * The manifest of an S3 Inventory: which files the listing of a bucket is in, and what their columns
 * are. See "Amazon S3 Inventory" in the S3 User Guide.
 */
const inventorySchema = z.looseObject({
  sourceBucket: z.string().min(1),
  /** `arn:aws:s3:::bucket`. */
  destinationBucket: z.string().min(1),
  /** ms since 1970, as a text. */
  creationTimestamp: z.string().optional(),
  fileFormat: z.string(),
  fileSchema: z.string(),
  files: z.array(
    z.looseObject({
      key: z.string().min(1),
      size: z.int().nonnegative(),
      MD5checksum: z.string().regex(/^[0-9a-f]{32}$/i),
    }),
  ),
});

export type InventoryManifest = z.infer<typeof inventorySchema> & {
  fileFormat: 'CSV' | 'Parquet';
};

/** A file of an inventory has a million keys and more. */
const manifestBytesMax = 64 * 1024 * 1024;

/** @throws UserError for one that is not as S3 writes it, or in ORC */
export async function parseInventory(
  { pieces }: Pick<KnownList, 'pieces'>,
  name: string,
): Promise<InventoryManifest> {
  const seen: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    seen.push(piece);
    bytes += piece.length;
    if (bytes > manifestBytesMax) throw notAsWritten(name, 'it has more than 64 MB');
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(seen).toString('utf8'));
  } catch {
    throw notAsWritten(name, 'it is no JSON');
  }
  const parsed = inventorySchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw notAsWritten(name, `${issue?.path.join('.')}: ${issue?.message}`);
  }
  const { fileFormat, ...rest } = parsed.data;
  if (fileFormat !== 'CSV' && fileFormat !== 'Parquet') {
    throw new UserError(
      `The inventory ${name} is in ${fileFormat}, which Cutline does not read: configure the ` +
        'inventory to be CSV or Parquet.',
    );
  }
  return { ...rest, fileFormat };
}

function notAsWritten(name: string, what: string): UserError {
  return new UserError(
    `${name} looks like the manifest of an S3 Inventory, and is not as S3 writes it: ${what}.`,
  );
}
