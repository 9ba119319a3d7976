import type { Readable } from 'node:stream';
import { describeError } from '../../errors.ts';
import { StoreError } from '../object-store.ts';

/**
 * Reads the body of an answer to its end.
 *
 * @param length the Content-Length, where the answer has one
 * @throws StoreError `too-large` before a byte is read where `length` exceeds `bytesMax`, else as
 *   soon as more arrive; `unavailable` where the body ends early, stalls, or does not match its
 *   checksum. What is left is then not read: the caller destroys the body.
 */
export async function readBody(
  body: Readable,
  { name, length, bytesMax }: { name: string; length: number | undefined; bytesMax: number },
): Promise<Buffer> {
  const tooLarge = (bytes: string) =>
    new StoreError('too-large', `${name} has ${bytes} bytes, the limit is ${bytesMax}.`);
  if (length !== undefined && length > bytesMax) throw tooLarge(String(length));
  const chunks: Buffer[] = [];
  let read = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      read += chunk.length;
      if (read > bytesMax) throw tooLarge(`${read} or more`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw new StoreError(
      'unavailable',
      `${name} could not be read to its end: ${describeError(cause)}.`,
      { cause },
    );
  }
  return Buffer.concat(chunks, read);
}
