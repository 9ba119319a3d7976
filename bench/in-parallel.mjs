// @ts-check

import os from 'node:os';

/**
 * @template Item, Result
 * @param {readonly Item[]} items
 * @param {(item: Item) => Promise<Result>} work
 * @param {number} [parallelism] items in hand at once
 * @returns {Promise<Result[]>} in the order of the items
 */
export async function inParallel(items, work, parallelism = os.availableParallelism()) {
  const results = /** @type {Result[]} */ (new Array(items.length));
  const rest = items.entries();
  const one = async () => {
    for (const [index, item] of rest) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: parallelism }, one));
  return results;
}
