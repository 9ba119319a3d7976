import picomatch from 'picomatch';
import type { ImageRef } from '../run/image-ref.ts';
import type { Selection } from '../run/run.ts';
import { runIdSchema } from '../run/run-name.ts';
import type { ObjectStore } from '../stores/object-store.ts';
import { Draw } from './draw.ts';
import { inKeyOrder } from './in-key-order.ts';
import { listAhead } from './list-ahead.ts';
import type { Stores } from './lists/open-list.ts';
import { type ListedKey, readKeys } from './lists/read-keys.ts';

/**
 * The images of a run, in a stable order: S3's and a folder's is the byte order of keys; a list's
 * is its own.
 *
 * Keys whose extension says that they are no images are yielded as skipped, so that the totals
 * reconcile with the listing; everything else is for the encoder to judge by content.
 */
export async function* listImages(...listing: ListArguments): AsyncGenerator<ImageRef> {
  for await (const { image } of listWithClasses(...listing)) yield image;
}

type ListArguments = [
  source: { store: ObjectStore; prefix: string },
  selection: Selection,
  options?: ListImagesOptions,
];

/** An image, and what its listing says of it besides, which a run has no use for. */
export interface ListedImage {
  image: ImageRef;
  /** As S3 names it; undefined where the listing does not say it. */
  storageClass: string | undefined;
}

/** The same images, with their storage class. */
export async function* listWithClasses(
  ...[source, selection, options = {}]: ListArguments
): AsyncGenerator<ListedImage> {
  const wanted = keyFilter(selection);
  const { exceptPrefix, onExcluded, onKeys } = options;
  let keys = 0;
  let excluded = 0;
  const images = (async function* () {
    for await (const { storageClass, ...listed } of listKeys(source, selection, options)) {
      keys += 1;
      if (exceptPrefix !== undefined && isResult(listed.key, exceptPrefix)) excluded += 1;
      else if (wanted(listed.key)) yield { image: classify(listed), storageClass };
    }
  })();
  if (selection.sample) yield* drawSample(images, selection.sample);
  else yield* takeFirst(images, selection.limit);
  if (excluded > 0) onExcluded?.(excluded);
  onKeys?.(keys);
}

export interface ListImagesOptions {
  /** Where runs write their results in the source: what looks like a result there is left out. */
  exceptPrefix?: string | undefined;
  /** Told at the end how many keys that were, if any. */
  onExcluded?: ((keys: number) => void) | undefined;
  /** Told at the end how many keys were listed, whether or not they are wanted. */
  onKeys?: ((keys: number) => void) | undefined;
  /** Only keys that come after it, of a source that is listed: not of a list of keys. */
  startAfter?: string | undefined;
  /** Opens the store of a list of keys, where that is another than the source. */
  stores?: Stores | undefined;
}

function listKeys(
  { store, prefix }: { store: ObjectStore; prefix: string },
  { keysFrom, keyColumn, columns, carry }: Selection,
  { stores, startAfter }: ListImagesOptions,
): AsyncIterable<ListedKey> {
  return keysFrom === null
    ? listObjects(store, prefix, startAfter)
    : readKeys({ from: keysFrom, keyColumn, columns, carry, source: store, prefix, stores });
}

/**
 * Whether a key is what a run writes: `<prefix><run>/run.json` and the like. A person's own photos
 * below `runs/` are images as any other.
 */
function isResult(key: string, prefix: string): boolean {
  if (!key.startsWith(prefix)) return false;
  const [run = '', ...rest] = key.slice(prefix.length).split('/');
  return runIdSchema.safeParse(run).success && resultPath.test(rest.join('/'));
}

const resultPath =
  /^((run|summary|plan)\.json$|(manifest|parts|sidecars|ledger|claims|features|results|reviews)\/)/;

/** Consoles, and Hadoop in its way, make empty objects that stand for folders. */
const folderMarker = /(\/|_\$folder\$)$/;

/** A folder inside that may not be read is listed, too, and fails as an image that may not. */
async function* listObjects(
  store: ObjectStore,
  prefix: string,
  startAfter: string | undefined,
): AsyncGenerator<ListedKey> {
  // A folder answers at once; a bucket, a page after another, each after some 100 ms.
  const objects = store.url.startsWith('file:')
    ? store.list(prefix, { unreadable: true, startAfter })
    : listAhead(store, prefix, { startAfter });
  for await (const { unreadable, ...object } of inKeyOrder(store.url, objects)) {
    if (unreadable) {
      yield { key: object.key };
      continue;
    }
    if (object.bytes === 0 && folderMarker.test(object.key)) continue;
    yield object;
  }
}

function keyFilter({ include, exclude }: Selection): (key: string) => boolean {
  const included = include.length > 0 ? anyOf(include) : () => true;
  const excluded = anyOf(exclude);
  return (key) => included(key) && !excluded(key);
}

/** Globs without a slash match the last segment of a key, others the whole; case is ignored. */
function anyOf(globs: readonly string[]): (key: string) => boolean {
  const matchers = globs.map((glob) =>
    // Picomatch holds every glob against the last segment when `basename` is set.
    picomatch(glob, { dot: true, nocase: true, basename: !glob.includes('/') }),
  );
  return (key) => matchers.some((matches) => matches(key));
}

/**
 * Extensions that are certainly not images: sidecars, documents, sound and video, archives.
 * Anything else, known or not, is fetched and judged by its content.
 */
const otherExtensions = new Set(
  (
    'txt md csv tsv json jsonl ndjson xml xmp html htm yml yaml log ini db sqlite ds_store ' +
    'pdf doc docx xls xlsx ppt pptx odt mp3 wav flac ogg m4a mp4 mov avi mkv webm mpg mpeg ' +
    'zip gz tar 7z rar md5 sha1 sha256 url lnk features'
  ).split(' '),
);

/** Whether a key is that of a file beside an image, by its name: `photo.jpg.txt`, `photo.xmp`. */
export function isSidecarName(key: string): boolean {
  return sidecarName.test(key);
}

const sidecarName =
  /\.xmp$|\.(jpe?g|png|gif|tiff?|webp|avif|hei[cf]|jp2|j2k|jxl|bmp|psd|dng|nef|cr[23]|arw)\.(txt|json)$/i;

function classify({
  key,
  etag,
  bytes,
  columns,
  source,
  ...said
}: Omit<ListedKey, 'storageClass'>): ImageRef {
  const name = key.slice(key.lastIndexOf('/') + 1);
  const extension = name.includes('.') ? name.slice(name.lastIndexOf('.') + 1).toLowerCase() : '';
  const listed = { key, etag: etag ?? null, bytes: bytes ?? null, ...(source && { source }) };
  if (said.duplicate) return { ...listed, skipped: 'duplicate' };
  if (otherExtensions.has(extension)) return { ...listed, skipped: 'not-an-image' };
  if (said.archived) return { ...listed, skipped: 'archived' };
  return columns ? { ...listed, columns } : listed;
}

async function* takeFirst(
  images: AsyncIterable<ListedImage>,
  limit: number | null,
): AsyncGenerator<ListedImage> {
  let taken = 0;
  for await (const listed of images) {
    yield listed;
    if (!listed.image.skipped) taken += 1;
    if (taken === limit) return;
  }
}

async function* drawSample(
  images: AsyncIterable<ListedImage>,
  { images: size, seed }: { images: number; seed: number },
): AsyncGenerator<ListedImage> {
  const draw = new Draw<ListedImage>({ size, seed });
  for await (const listed of images) if (!listed.image.skipped) draw.add(listed);
  yield* draw.items();
}
