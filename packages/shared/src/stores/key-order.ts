import { UserError } from '../errors.ts';

/**
 * Compares strings by the bytes of their UTF-8, the order in which S3 lists keys: less than 0
 * where `a` comes first. JavaScript's own order is by UTF-16 code units, which differs above
 * U+FFFF: a surrogate is a smaller number than U+E000…U+FFFF, but stands for a larger code point.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xIsSurrogate = isSurrogate(x);
    if (xIsSurrogate !== isSurrogate(y)) return xIsSurrogate ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

/**
 * @param last the key before these
 * @returns the last of them
 * @throws UserError where they do not ascend
 */
export function requireKeyOrder(
  storeUrl: string,
  keys: readonly string[],
  last: string | undefined,
): string | undefined {
  for (const key of keys) {
    if (last !== undefined && compareKeys(key, last) <= 0) throw disorder(storeUrl, key, last);
    last = key;
  }
  return last;
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
