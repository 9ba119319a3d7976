import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { FolderStore } from './folder-store.ts';
import { parseLocation } from './location.ts';
import type { ObjectStore } from './object-store.ts';

/** How S3 is reached. What is left out comes from the environment, as the AWS SDK reads it. */
export const storeConfigSchema = z.strictObject({
  /** Default: AWS_ENDPOINT_URL_S3, else AWS_ENDPOINT_URL, else Amazon's. */
  endpoint: z.url({ protocol: /^https?$/ }).optional(),
  /** Default: AWS_REGION, AWS_DEFAULT_REGION, the profile's; us-east-1 where an endpoint is set. */
  region: z.string().min(1).optional(),
  /** `endpoint/bucket/key` rather than `bucket.endpoint/key`. Default: where an endpoint is set. */
  pathStyle: z.boolean().optional(),
  /** Default: the SDK's chain: environment, profile, SSO, web identity, container, instance. */
  credentials: z
    .strictObject({
      accessKeyId: z.string().min(1),
      secretAccessKey: z.string().min(1),
      sessionToken: z.string().min(1).optional(),
    })
    .optional(),
  /** For a connection to be made. */
  connectTimeoutMs: z.int().min(1).default(5_000),
  /** For an answer to begin, and between any two pieces of its body. */
  requestTimeoutMs: z.int().min(1).default(30_000),
});

export type StoreConfig = z.input<typeof storeConfigSchema>;
export type ParsedStoreConfig = z.output<typeof storeConfigSchema>;

/**
 * Opens what `parseLocation(…).store` names: `s3://bucket` or `file:///absolute/folder`. Nothing
 * is sent before the first operation; `check` tells whether the store is there.
 *
 * The AWS SDK is loaded only where it is needed: it takes 0.1 s, which a person who captions a
 * folder need not wait for.
 *
 * @throws UserError where the URL or the configuration is wrong.
 */
export async function openStore(url: string, config: StoreConfig = {}): Promise<ObjectStore> {
  const parsed = storeConfigSchema.safeParse(config);
  if (!parsed.success) {
    throw new UserError(`The store's configuration is wrong: ${z.prettifyError(parsed.error)}`);
  }
  const { store, prefix } = parseLocation(url);
  if (prefix !== '') {
    throw new UserError(`"${url}" is not a whole store: expected "${store}", without a prefix.`);
  }
  if (store.startsWith('file:')) return new FolderStore(fileURLToPath(store));

  const { S3Store } = await import('./s3-store.ts');
  return new S3Store(store.slice('s3://'.length), parsed.data);
}
