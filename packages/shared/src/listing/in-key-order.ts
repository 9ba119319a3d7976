import { UserError } from '../errors.ts';
import { compareKeys } from '../stores/key-order.ts';
import type { ObjectInfo } from '../stores/object-store.ts';

/**
 * Asserts that a store lists in ascending order of the keys' bytes, each key once.
 *
 * A run that is resumed goes on after the last key of its manifest, and a listing that broke off
 * after the last key that it gave: in any other order, keys would be left out without a word.
 *
 * @throws UserError that says what was seen
 */
export async function* inKeyOrder(
  storeUrl: string,
  listing: AsyncIterable<ObjectInfo>,
): AsyncGenerator<ObjectInfo> {
  let last: string | undefined;
  for await (const object of listing) {
    const { key } = object;
    if (last !== undefined && compareKeys(key, last) <= 0) throw disorder(storeUrl, key, last);
    last = key;
    yield object;
  }
}

function disorder(storeUrl: string, key: string, last: string): UserError {
  const name = JSON.stringify(key);
  if (key !== last) {
    return new UserError(
      `${storeUrl} lists ${name} after ${JSON.stringify(last)}, which is not the order of their ` +
        'bytes (as directory buckets do): a run could leave keys out. Write the keys into a file, ' +
        'and give it with --keys-from.',
    );
  }
  if (key.includes('\ufffd')) {
    return new UserError(
      `${storeUrl} lists ${name} twice: the names of several files are not UTF-8. Rename them.`,
    );
  }
  return new UserError(
    `${storeUrl} lists ${name} twice, so its listing cannot be relied on. Write the keys into a ` +
      'file, and give it with --keys-from.',
  );
}
