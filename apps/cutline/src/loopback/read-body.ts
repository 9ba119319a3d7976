/** The JSON of a request. */
import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { RefusedError } from './refused-error.ts';

/** Of a caption of the greatest length, and what is around it. */
const bytesMax = 64 * 1024;

/** @throws RefusedError for what is too large, or not of the schema. */
export async function readBody<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  if (request.headers['content-type'] !== 'application/json') {
    throw new RefusedError('invalid', 'Expected application/json.');
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new RefusedError('too-large', 'That is too much for a request.');
    chunks.push(chunk);
  }
  const parsed = schema.safeParse(parseJson(Buffer.concat(chunks).toString('utf8')));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new RefusedError('invalid', `${issue?.path.join('.') || 'body'}: ${issue?.message}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RefusedError('invalid', 'Expected JSON.');
  }
}
