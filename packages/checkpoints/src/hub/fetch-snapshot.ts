/**
 * Files of a repository at one commit, in the cache that Python's tools keep. The revision becomes
 * a commit first, and everything is of that commit; what is there is not fetched again.
 */
import { stat } from 'node:fs/promises';
import { UserError } from '@cutline/shared/errors';
import pLimit from 'p-limit';
import { quote } from '../files/quote.ts';
import { fetchBlob } from './fetch-blob.ts';
import { checkFreeSpace } from './free-space.ts';
import { defaultPatience, type Hub, type HubPatience } from './hub.ts';
import { HubCache } from './hub-cache.ts';
import { errorOfCache } from './hub-errors.ts';
import { type HubSettings, readHubSettings } from './hub-settings.ts';
import {
  fetchListing,
  type ListedFile,
  type Listing,
  type Wanted,
  wantedFiles,
} from './listing.ts';
import { describeFile, type PublishedFile } from './published-file.ts';
import { checkRepo, checkRevision, isCommit } from './repo-name.ts';

export interface SnapshotRequest {
  /** `organisation/name` */
  repo: string;
  /** A branch, a tag or a commit. Default: `main`. */
  revision?: string;
  /** Which files. Offline, it is asked about those that are there, if nothing else is known. */
  wanted: Wanted;
  /** Default: what the environment says, `readHubSettings()`. */
  settings?: HubSettings;
  patience?: Partial<HubPatience>;
  /** How many files are fetched at a time, at least 1. Default: 4. */
  downloadsMax?: number;
  onProgress?(progress: DownloadProgress): void;
  /** Ends it: the promise is rejected with the signal's reason; another call goes on from there. */
  signal?: AbortSignal;
}

/** How far it is; told for every piece that arrives. */
export interface DownloadProgress {
  /** The file of which there is more now; less, when it has to start over. */
  file: string;
  fileBytes: number;
  fileBytesTotal: number;
  /** Of all files that are wanted, those included that were there. */
  bytes: number;
  bytesTotal: number;
}

export interface Snapshot {
  /** Where the files are, by their names. */
  folder: string;
  /** 40 hexadecimal digits: asked for again, it gives the same files. */
  commit: string;
  /** What the repository's card names, if it does: `apache-2.0`, … */
  licence?: string;
  /** Names of the files that were wanted, sorted. */
  files: readonly string[];
}

/**
 * @throws UserError for everything that a person has to put right, in one line that says what to
 *   do; the signal's reason.
 */
export async function fetchSnapshot(request: SnapshotRequest): Promise<Snapshot> {
  const { repo, revision = 'main', wanted } = request;
  checkRepo(repo);
  checkRevision(revision);
  const settings = request.settings ?? (await readHubSettings());
  const cache = new HubCache(settings.cacheFolder, repo);
  // One failure ends the others, as the caller's signal does.
  const end = new AbortController();
  const { signal } = end;
  const onAbort = () => end.abort(request.signal?.reason);
  request.signal?.addEventListener('abort', onAbort);
  const hub: Hub = { settings, patience: { ...defaultPatience, ...request.patience }, signal };
  try {
    request.signal?.throwIfAborted();
    if (settings.isOffline) return await findSnapshot(cache, repo, revision, wanted);
    const kept = isCommit(revision) ? await cache.findListing(revision) : undefined;
    const listing = kept ?? (await fetchListing(hub, repo, revision));
    const files = wantedFiles(listing, repo, wanted);
    await cache.prepare(listing.commit);
    // Before the files are there, so that what is missing of them is known to be missing.
    if (!kept) await cache.writeListing(listing);
    await fetchFiles(hub, cache, request, listing, files, end);
    await cache.writeRef(revision, listing.commit);
    return snapshotOf(cache, listing, files);
  } catch (error) {
    request.signal?.throwIfAborted();
    throw errorOfCache(error, settings.cacheFolder);
  } finally {
    request.signal?.removeEventListener('abort', onAbort);
  }
}

/** Without asking anybody. */
async function findSnapshot(
  cache: HubCache,
  repo: string,
  revision: string,
  wanted: Wanted,
): Promise<Snapshot> {
  const commit = await cache.findCommit(revision);
  const names = commit ? await cache.names(commit) : [];
  const kept = commit ? await cache.findListing(commit) : undefined;
  // What another program fetched has no list of what there should be.
  const others =
    names.length > 0 && commit ? { commit, files: names.map((name) => ({ name })) } : undefined;
  const listing = kept ?? others;
  const found = listing ? wantedFiles(listing, repo, wanted) : [];
  const missing = found.find(({ name }) => !names.includes(name));
  if (!listing || missing || (!kept && found.length === 0)) {
    const what = missing ? `${quote(missing.name)} of ${repo}` : repo;
    throw new UserError(
      `HF_HUB_OFFLINE is set, and ${what} at ${quote(revision)} is not in ${cache.folder}: unset ` +
        'it to fetch what is missing.',
    );
  }
  return snapshotOf(cache, listing, found);
}

async function fetchFiles(
  hub: Hub,
  cache: HubCache,
  { repo, downloadsMax = 4, onProgress }: SnapshotRequest,
  { commit }: Listing,
  files: readonly ListedFile[],
  end: AbortController,
): Promise<void> {
  const limit = pLimit(downloadsMax);
  const inTurn = <Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>) =>
    allOrNone(
      items.map((item) => limit(() => work(item))),
      end,
    );

  const published = await inTurn(files, (file) => describeFile(hub, repo, commit, file));
  const progress = new Progress(published, onProgress);
  const missing: PublishedFile[] = [];
  for (const file of published) {
    if (await cache.has(commit, file.name, file.bytes)) progress.set(file, file.bytes);
    else missing.push(file);
  }
  await checkFreeSpace(cache.folder, await bytesToFetch(cache, missing));
  await inTurn(missing, async (file) => {
    hub.signal.throwIfAborted();
    const onBytes = (bytes: number) => progress.set(file, bytes);
    await fetchBlob({ hub, cache, repo, commit, file, onBytes });
    await cache.link(commit, file);
  });
}

/** All results; or the first error, when nothing is under way any more. */
async function allOrNone<Result>(
  works: readonly Promise<Result>[],
  end: AbortController,
): Promise<Result[]> {
  try {
    return await Promise.all(works);
  } catch (error) {
    end.abort();
    await Promise.allSettled(works);
    throw error;
  }
}

/** Files with the same contents are fetched once. */
async function bytesToFetch(cache: HubCache, files: readonly PublishedFile[]): Promise<number> {
  let bytes = 0;
  for (const file of new Map(files.map((file) => [file.etag, file])).values()) {
    if (await cache.hasBlob(file)) continue;
    const there = await stat(cache.incompletePath(file.etag)).catch(() => undefined);
    bytes += Math.max(file.bytes - (there?.size ?? 0), 0);
  }
  return bytes;
}

class Progress {
  readonly #there = new Map<string, number>();
  readonly #bytesTotal: number;
  readonly #onProgress: SnapshotRequest['onProgress'];

  constructor(files: readonly PublishedFile[], onProgress: SnapshotRequest['onProgress']) {
    this.#bytesTotal = files.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#onProgress = onProgress;
  }

  set({ name: file, bytes: fileBytesTotal }: PublishedFile, fileBytes: number): void {
    this.#there.set(file, fileBytes);
    const bytes = [...this.#there.values()].reduce((sum, there) => sum + there, 0);
    this.#onProgress?.({ file, fileBytes, fileBytesTotal, bytes, bytesTotal: this.#bytesTotal });
  }
}

function snapshotOf(
  cache: HubCache,
  { commit, licence }: Listing,
  files: readonly ListedFile[],
): Snapshot {
  return {
    folder: cache.snapshotFolder(commit),
    commit,
    ...(licence && { licence }),
    files: files.map(({ name }) => name),
  };
}
