export { codeOf, isMissing, readError, requireFolder, writeError } from './folder-errors.ts';
export { pathOfKey } from './folder-key.ts';
export { etagOf, listFolder } from './folder-listing.ts';
export { FolderStore } from './folder-store.ts';
export { compareKeys } from './key-order.ts';
export {
  folderUrl,
  type Location,
  type ObjectLocation,
  parseLocation,
  parseObjectLocation,
} from './location.ts';
export {
  type GetOptions,
  type ObjectInfo,
  type ObjectStore,
  type StoredObject,
  StoreError,
  type StoreErrorReason,
} from './object-store.ts';
export { openStore } from './open-store.ts';
export { readBody } from './s3-body.ts';
export { createS3Client } from './s3-client.ts';
export { readS3Config, type S3Config, type StoreConfig, storeConfigSchema } from './s3-config.ts';
export { type S3Operation, type S3Request, s3Error } from './s3-errors.ts';
export { S3Store } from './s3-store.ts';
export { StorePool } from './store-pool.ts';
