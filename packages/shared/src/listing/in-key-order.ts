import { requireKeyOrder } from '../stores/key-order.ts';
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
    last = requireKeyOrder(storeUrl, [object.key], last);
    yield object;
  }
}
