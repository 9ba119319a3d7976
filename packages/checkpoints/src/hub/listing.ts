/** What a repository holds at one commit: names, sizes and hashes of files, and its licence. */
import { UserError } from '@cutline/shared/errors';
import { z } from 'zod';
import { quote } from '../files/quote.ts';
import { exchange, readText } from './exchange.ts';
import { type Hub, hostOf } from './hub.ts';
import { errorOfReply } from './hub-errors.ts';
import { isCommit, isFileName } from './repo-name.ts';
import { retry } from './retry.ts';

export interface ListedFile {
  name: string;
  /** Its size and its ETag, where the hub told them with its name. */
  bytes?: number | undefined;
  /** The SHA-256 of a large file (64 digits), the git blob id of a small one (40). */
  etag?: string | undefined;
}

export interface Listing {
  /** 40 hexadecimal digits. */
  commit: string;
  /** As its card names it: `apache-2.0`, `bsd-3-clause`, … */
  licence?: string | undefined;
  files: ListedFile[];
}

/** Whether a file is asked for, of all that there are. Names have slashes, and are a server's. */
export type Wanted = (name: string, names: readonly string[]) => boolean;

const text = z.string().max(2000);
const infoSchema = z.object({
  sha: z.string(),
  siblings: z.array(
    z.object({
      rfilename: z.string(),
      size: z.int().min(0).nullish(),
      blobId: text.nullish(),
      lfs: z.object({ sha256: text.nullish(), size: z.int().min(0).nullish() }).nullish(),
    }),
  ),
  cardData: z
    .object({
      license: z.union([text, z.array(text)]).nullish(),
      license_name: text.nullish(),
    })
    .nullish()
    .catch(null),
});

/** Repositories of 100,000 files have some 20 MB. */
const bytesMax = 64 * 1024 * 1024;

/** @throws UserError when there is no such repository or revision, or the hub is out of reach. */
export async function fetchListing(hub: Hub, repo: string, revision: string): Promise<Listing> {
  const { endpoint } = hub.settings;
  const url = `${endpoint}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const body = await retry(hub, () =>
    exchange(hub, { method: 'GET', url }, async (response, pieces) => {
      if (response.status !== 200) throw errorOfReply(hub, response, { repo, revision });
      return readText(pieces, bytesMax, response);
    }),
  );
  const listing = parseInfo(body);
  if (!listing || (isCommit(revision) && listing.commit !== revision)) {
    throw new UserError(
      `${hostOf(hub)} does not answer as a Hugging Face hub does: check HF_ENDPOINT.`,
    );
  }
  return listing;
}

function parseInfo(body: string): Listing | undefined {
  const info = infoSchema.safeParse(parseJson(body));
  if (!info.success || !isCommit(info.data.sha)) return undefined;
  const { sha, siblings, cardData } = info.data;
  return {
    commit: sha,
    licence: licenceOf(cardData?.license, cardData?.license_name),
    files: siblings.map(({ rfilename, size, blobId, lfs }) => ({
      name: rfilename,
      bytes: lfs?.size ?? size ?? undefined,
      etag: (lfs ? lfs.sha256 : blobId) ?? undefined,
    })),
  };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** `other` has a name beside it. */
function licenceOf(
  licence: string | string[] | null | undefined,
  name: string | null | undefined,
): string | undefined {
  const said = licence === 'other' && name ? name : [licence ?? []].flat().join(', ');
  return said.replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim() || undefined;
}

/**
 * Those that are wanted, by name, each once. Names of others are of no interest.
 *
 * @throws UserError when one of them would not stay in the folder.
 */
export function wantedFiles(listing: Listing, repo: string, wanted: Wanted): ListedFile[] {
  const names = listing.files.map(({ name }) => name);
  const files = new Map<string, ListedFile>();
  for (const file of listing.files) {
    if (!wanted(file.name, names)) continue;
    if (!isFileName(file.name)) {
      throw new UserError(
        `${repo} has a file ${quote(file.name)}, which would not stay in its folder: it is refused.`,
      );
    }
    files.set(file.name, file);
  }
  return [...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
