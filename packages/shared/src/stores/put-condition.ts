import { type ObjectInfo, type PutCondition, StoreError } from './object-store.ts';

/** What is said when the condition of a put, or of a delete, does not hold. `name` as messages show it. */
export function preconditionFailed(name: string, options?: ErrorOptions): StoreError {
  return new StoreError(
    'exists',
    `${name} was left as it is: it exists already, or is not the version that was meant.`,
    options,
  );
}

/**
 * Holds what is there against the condition.
 * @throws StoreError `exists`
 */
export function requireCondition(
  { ifAbsent, ifMatch }: PutCondition,
  found: Pick<ObjectInfo, 'etag'> | undefined,
  name: string,
): void {
  if (ifAbsent && found !== undefined) throw preconditionFailed(name);
  if (ifMatch !== undefined && found?.etag !== ifMatch) throw preconditionFailed(name);
}
