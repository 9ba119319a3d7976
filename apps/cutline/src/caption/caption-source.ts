import type { AnyModel } from '@cutline/inference';
import { captionLocally, LocalSidecars } from '@cutline/pipeline';
import { describeError, UserError } from '@cutline/shared/errors';
import { listImages } from '@cutline/shared/listing';
import { type Closers, Metrics, type Settings, storeConfig } from '@cutline/shared/process';
import {
  type ImageRef,
  type PartRow,
  type ResultRow,
  type Run,
  readReviews,
} from '@cutline/shared/run';
import { type ObjectStore, StorePool } from '@cutline/shared/stores';
import { csvOf, type Link } from '../export/index.ts';
import { type OpenSource, openSource } from '../open-source.ts';
import { openStages, type stageSettings } from '../open-stages.ts';
import { FileResults, reviewedRows } from '../results/index.ts';
import { formatQuantity } from '../terminal/format.ts';
import { describeRepeated } from '../terminal/format-summary.ts';
import { rowPrinter } from '../terminal/print-rows.ts';
import { say } from '../terminal/say.ts';
import { createStatusLine } from '../terminal/status-line.ts';
import { type ProgressDisplay, showProgress } from '../watch/progress-display.ts';
import { CountedListing } from './counted-listing.ts';
import { makeOutputs } from './make-outputs.ts';
import { isOutput, type Outputs } from './outputs.ts';
import { RowsFile } from './rows-file.ts';
import { Tally } from './tally.ts';

export interface CaptionSource {
  source: string;
  request: Run;
  model: AnyModel;
  bundleFolder: string;
  outputs: Outputs;
  /** Of originals, for the gallery. */
  link: Link | undefined;
  /** Whether rows of images that are gone go, too. */
  prune: boolean;
}

interface Context {
  settings: Settings<(typeof stageSettings)[number] | 's3PathStyle'>;
  closers: Closers;
}

/** How often progress is looked at, where nothing else happens. */
const intervalMs = 500;

/**
 * Captions what is in a source, in this process: into a file that is gone on with, or onto standard
 * output. Sets the exit status where an image failed.
 *
 * @throws UserError, StoreError
 */
export async function captionSource(what: CaptionSource, context: Context): Promise<void> {
  const { outputs, model, bundleFolder } = what;
  const { settings, closers } = context;
  const stores = new StorePool(storeConfig(settings));
  closers.add('stores', () => stores.close());
  const opened = await openSource(what.source, stores);
  const { store, prefix, single } = opened;
  const request = { ...what.request, source: { store: store.url, prefix: single ?? prefix } };
  const file =
    outputs.rows === undefined ? undefined : await RowsFile.open(outputs.rows, request, stores);
  if (file) closers.add('the file of rows', () => file.close());
  const sidecars = await openSidecars(request, file, store);
  const metrics = new Metrics();
  const status = createStatusLine(process.stderr);
  status.show('loading the model …');
  const stages = await openStages(model, bundleFolder, { settings, metrics, closers }).finally(
    status.clear,
  );
  const tally = new Tally();
  const listing = new CountedListing(imagesOf(opened, { request, stores, outputs, sidecars }));
  const finish = () => makeOutputs({ ...what, stores, store, settings });
  const progress = watch(tally, listing, async () => {
    await file?.close();
    const again = file?.papers ? '. The same command goes on after them.' : '';
    say(process.stderr, `stopped: ${tally.describe()}${again}`);
    await finish();
  });
  const { options, featureType = 'float16' } = request;
  const pipeline = { store, options, featureType, ...stages };
  const onEncoded = (images: number) => {
    tally.encoded += images;
  };
  const wanted = file ? without(file, listing.images, tally) : listing.images;
  try {
    const there = sidecars && file && file.before > 0 ? rowsThere(outputs.rows, stores) : undefined;
    if (there) await sidecars?.renew(there, tally.sidecars);
    const captioned = captionLocally(wanted, { ...pipeline, onEncoded });
    const rows = noted(captioned, { sidecars, tally, progress });
    if (file) for await (const batch of rows) await file.write(batch);
    else await print(rows, outputs, request, progress);
  } finally {
    progress.stop();
  }
  if (file && isAll(request.selection, opened)) {
    const gone = file.unasked(prefix);
    tally.gone = gone.length;
    if (what.prune) file.drop(gone);
  }
  await file?.close();
  say(process.stderr, describeEnd(tally, what.prune).join('\n'));
  if (tally.counts.images + tally.before > 0) await finish();
  if (tally.counts.failed > 0) process.exitCode = 1;
}

/** Whether every image that is there was listed: then what was not is gone. */
function isAll(
  { include, exclude, keysFrom, limit, sample }: Run['selection'],
  { single }: OpenSource,
): boolean {
  const isWhole = include.length + exclude.length === 0 && keysFrom === null;
  return isWhole && limit === null && sample === null && single === undefined;
}

interface Listed {
  request: Run;
  stores: StorePool;
  outputs: Outputs;
  sidecars: LocalSidecars | undefined;
}

/** A folder or prefix is listed, without what is written there now; a single image is itself. */
function imagesOf(
  { store, prefix, single }: OpenSource,
  { request, stores, outputs, sidecars }: Listed,
): AsyncIterable<ImageRef> {
  if (single !== undefined) return oneImage(single);
  const isFile = isOutput(outputs, store.url);
  const isOwn = (key: string) => isFile(key) || sidecars?.wrote(key) === true;
  return leaveOut(isOwn, listImages({ store, prefix }, request.selection, { stores }));
}

async function* oneImage(key: string): AsyncGenerator<ImageRef> {
  yield { key, etag: null, bytes: null };
}

async function* leaveOut(
  isOwn: (key: string) => boolean,
  images: AsyncIterable<ImageRef>,
): AsyncGenerator<ImageRef> {
  for await (const image of images) if (!isOwn(image.key)) yield image;
}

async function* without(
  file: RowsFile,
  images: AsyncIterable<ImageRef>,
  tally: Tally,
): AsyncGenerator<ImageRef> {
  for await (const image of images) {
    if (file.has(image)) tally.before += 1;
    else yield image;
  }
}

/** @throws UserError where nothing would remember what was written */
async function openSidecars(
  { sidecars: kinds, sidecarRules: rules }: Run,
  file: RowsFile | undefined,
  store: ObjectStore,
): Promise<LocalSidecars | undefined> {
  if (!file?.papers) {
    if (kinds.length === 0) return undefined;
    throw new UserError(
      '--sidecars takes -o <file>: what is written beside images is recorded with the rows, so ' +
        'that it is known again, and can be taken away.',
    );
  }
  return LocalSidecars.open({ run: file.papers, store, kinds, rules });
}

/** Rows of before may have no sidecars yet, or others; what people decided about them counts. */
async function* rowsThere(path = '', stores: StorePool): AsyncGenerator<ResultRow[]> {
  const results = await FileResults.open(path, stores);
  for await (const batch of reviewedRows(results, await readReviews(results.papers))) {
    yield batch.map(({ row }) => row);
  }
}

interface Noting {
  sidecars: LocalSidecars | undefined;
  tally: Tally;
  progress: ProgressDisplay & { look: () => void };
}

async function* noted(
  batches: AsyncIterable<PartRow[]>,
  { sidecars, tally, progress }: Noting,
): AsyncGenerator<PartRow[]> {
  for await (const batch of batches) {
    const rows = sidecars ? await sidecars.write(batch, tally.sidecars) : batch;
    tally.add(rows);
    yield rows;
    progress.look();
  }
}

async function print(
  batches: AsyncIterable<PartRow[]>,
  { printed }: Outputs,
  { selection }: Pick<Run, 'selection'>,
  progress: ProgressDisplay,
): Promise<void> {
  const { stdout, stderr } = process;
  // On one terminal, what is printed goes above the bars.
  const write =
    stdout.isTTY && stderr.isTTY ? progress.print : (text: string) => stdout.write(text);
  if (printed === 'csv') {
    const rows = (async function* () {
      for await (const batch of batches) yield batch.map((row) => ({ row, attempt: '0' }));
    })();
    const { carry: carried = [] } = selection;
    for await (const text of csvOf(rows, { bom: false, carried })) write(text);
    return;
  }
  const printRows = rowPrinter(stdout, { json: printed === 'jsonl' }, write);
  for await (const batch of batches) printRows(batch);
}

/**
 * Shows how far it is, until it is stopped; Ctrl-C ends the process in good order.
 * @param onInterrupt what is still to be done then
 */
function watch(
  tally: Tally,
  listing: CountedListing,
  onInterrupt: () => Promise<void>,
): ProgressDisplay & { look: () => void } {
  const display = showProgress(process.stderr);
  const look = () => {
    const progress = tally.progress(listing);
    display.update({ run: '', results: '', isCancelled: false, progress });
  };
  const timer = setInterval(look, intervalMs);
  let isStopped = false;
  const stop = () => {
    if (isStopped) return;
    isStopped = true;
    clearInterval(timer);
    look();
    display.stop();
    process.off('SIGINT', interrupt);
  };
  const interrupt = () => {
    stop(); // whoever interrupts twice does not wait for what is made of rows
    onInterrupt()
      .catch((error) => void process.stderr.write(`${describeError(error)}\n`))
      .finally(() => process.exit(130));
  };
  process.on('SIGINT', interrupt);
  return { ...display, look, stop };
}

function describeEnd(tally: Tally, prune: boolean): string[] {
  const { before, counts, gone } = tally;
  const there = before > 0 ? `${formatQuantity(before, 'row')} there already` : '';
  const done =
    counts.images > 0
      ? [tally.describe(), there].filter(Boolean).join(', ')
      : before > 0
        ? `Nothing to do: ${there}.`
        : 'There are no images to caption there.';
  const files = tally.describeSidecars();
  const rows = `${formatQuantity(gone, 'row')} of images that are not there any more`;
  return [
    done,
    ...describeRepeated(tally.repeated.find(), counts.captioned),
    ...(files ? [`sidecars: ${files}`] : []),
    ...(gone > 0 ? [prune ? `taken out: ${rows}` : `${rows}: --prune takes them out`] : []),
  ];
}
