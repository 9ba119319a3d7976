/** A file as it was published: its size, and the hash that its bytes have to have. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { UserError } from '@cutline/shared/errors';
import { quote } from '../files/quote.ts';
import { exchange } from './exchange.ts';
import { type Hub, hostOf } from './hub.ts';
import { errorOfReply } from './hub-errors.ts';
import type { ListedFile } from './listing.ts';
import { retry } from './retry.ts';

export interface PublishedFile {
  name: string;
  bytes: number;
  /** The SHA-256 of a large file (64 digits), the git blob id of a small one (40). */
  etag: string;
}

/** Where a file of a commit can be fetched. */
export function fileUrl(hub: Hub, repo: string, commit: string, name: string): string {
  const path = name.split('/').map(encodeURIComponent).join('/');
  return `${hub.settings.endpoint}/${repo}/resolve/${commit}/${path}`;
}

/** What the listing leaves open is asked for, file by file. @throws UserError */
export async function describeFile(
  hub: Hub,
  repo: string,
  commit: string,
  file: ListedFile,
): Promise<PublishedFile> {
  const { name, bytes, etag } =
    file.bytes === undefined || file.etag === undefined
      ? await askForFile(hub, repo, commit, file.name)
      : file;
  if (bytes === undefined || etag === undefined || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag)) {
    throw new UserError(
      `${hostOf(hub)} does not say what ${quote(name)} of ${repo} should be, so it could not be ` +
        'checked: check HF_ENDPOINT.',
    );
  }
  return { name, bytes, etag };
}

async function askForFile(
  hub: Hub,
  repo: string,
  commit: string,
  name: string,
): Promise<ListedFile> {
  const url = fileUrl(hub, repo, commit, name);
  // Large files lie elsewhere: what the hub says of them comes with the redirect.
  const isAnswer = ({ headers }: Response) => headers.has('x-linked-etag');
  const headers = { 'accept-encoding': 'identity' };
  const answer = await retry(hub, () =>
    exchange(hub, { method: 'HEAD', url, headers, isAnswer }, async (response) => {
      if (response.status >= 400) {
        throw errorOfReply(hub, response, { repo, revision: commit, file: name });
      }
      return response.headers;
    }),
  );
  const found = answer.get('x-repo-commit');
  if (found !== null && found !== commit) {
    throw new UserError(
      `${hostOf(hub)} has ${repo} at ${quote(found)} only, and not at ${commit}.`,
    );
  }
  const size = answer.get('x-linked-size') ?? answer.get('content-length');
  return {
    name,
    bytes: size !== null && /^\d{1,15}$/.test(size) ? Number(size) : undefined,
    etag: (answer.get('x-linked-etag') ?? answer.get('etag'))?.replace(/^(W\/)?"(.*)"$/, '$2'),
  };
}

/** Whether a file on disk has the bytes that were published: reads it once. */
export async function hasRightBytes(
  path: string,
  { bytes, etag }: PublishedFile,
  signal: AbortSignal,
): Promise<boolean> {
  const isLarge = etag.length === 64;
  const hash = createHash(isLarge ? 'sha256' : 'sha1');
  if (!isLarge) hash.update(`blob ${bytes}\0`);
  let read = 0;
  for await (const piece of createReadStream(path, { signal, highWaterMark: 1024 * 1024 })) {
    hash.update(piece);
    read += piece.length;
  }
  return read === bytes && hash.digest('hex') === etag;
}
