import type { _Object as ListedObject } from '@aws-sdk/client-s3';
import type { ObjectInfo } from '../object-store.ts';

/** Of an object, as a page of a listing says it. */
export function listedInfo(key: string, object: ListedObject): ObjectInfo {
  const info: ObjectInfo = { key, etag: plainEtag(object.ETag), bytes: object.Size ?? 0 };
  if (object.StorageClass) info.storageClass = object.StorageClass;
  if (isArchived(object)) info.archived = true;
  return info;
}

/** Whether objects of a storage class answer a GET with 403 until they are restored from it. */
export function isArchive(storageClass: string | undefined): boolean {
  return storageClass === 'GLACIER' || storageClass === 'DEEP_ARCHIVE';
}

/** A copy that was restored can be read for some days, until it expires. */
function isArchived({ StorageClass, RestoreStatus }: ListedObject): boolean {
  const isRestored =
    RestoreStatus?.RestoreExpiryDate !== undefined && !RestoreStatus.IsRestoreInProgress;
  return isArchive(StorageClass) && !isRestored;
}

/** Amazon and MinIO write a space as `+`, Ceph as `%20`; all three write `+` as `%2B`. */
export function decodeKey(encoded: string): string {
  return decodeURIComponent(encoded.replaceAll('+', '%20'));
}

/** Without quotes, and without the mark of a weak ETag, which gateways add to some answers. */
export function plainEtag(etag: string | undefined): string {
  return (etag ?? '').replace(/^W\//, '').replaceAll('"', '');
}
