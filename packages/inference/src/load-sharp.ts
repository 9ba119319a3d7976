import type Sharp from 'sharp';

let loading: Promise<typeof Sharp> | undefined;

/**
 * sharp, set up for many different images in parallel: no cache of operations (no image comes
 * twice), and one thread an image (the parallelism is over images). It is loaded by whoever
 * needs it first: that takes a fifth of a second, which programs without images save.
 */
export function loadSharp(): Promise<typeof Sharp> {
  loading ??= import('sharp').then(({ default: sharp }) => {
    sharp.cache(false);
    sharp.concurrency(1);
    return sharp;
  });
  return loading;
}
