import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { defaultBundleFolder, prepareSharp, startInference } from '@cutline/inference';
import {
  addCaptionFlags,
  addSelectionFlags,
  addSettings,
  type CaptionFlags,
  Closers,
  captionOptions,
  type ImageRef,
  listImages,
  Metrics,
  type ObjectStore,
  type PartRow,
  parseLocation,
  parseObjectLocation,
  readSettings,
  type SelectionFlags,
  StorePool,
  selectionOf,
  storeConfig,
  UserError,
} from '@cutline/shared';
import type { Command } from 'commander';
import { captionLocally } from '../caption-locally.ts';
import { formatCount, formatDuration } from '../format.ts';
import { createRowPrinter, type RowPrinter } from '../print-rows.ts';

const settingNames = [
  'model',
  'backend',
  'threads',
  's3PathStyle',
  'fetchConcurrency',
  'fetchAttempts',
  'retryBaseMs',
  'imageBytesMax',
  'imagePixelsMax',
  'decodeTimeoutMs',
] as const;

interface CaptionCommandFlags extends CaptionFlags, SelectionFlags {
  json?: boolean;
  results?: string;
}

/** Images at once: enough for all threads, few enough to see the first captions soon. */
const batchSize = 32;

export function addCaption(program: Command): void {
  const command = program
    .command('caption')
    .description('Caption images here and now, in one process: no Redis, no workers.')
    .argument('<source>', 'a folder, an image, s3://bucket/prefix or s3://bucket/key')
    .option('--json', 'print rows as JSON Lines instead of a table')
    .option('-o, --results <file>', 'write rows as JSON Lines to a file');
  addSettings(addCaptionFlags(addSelectionFlags(command)), settingNames).action(
    async (source: string, flags: CaptionCommandFlags) => {
      const closers = new Closers();
      try {
        const settings = readSettings({ ...flags }, settingNames);
        await captionSource(source, flags, settings, closers);
      } finally {
        await closers.closeAll();
      }
    },
  );
}

async function captionSource(
  source: string,
  flags: CaptionCommandFlags,
  settings: ReturnType<typeof readSettings<(typeof settingNames)[number]>>,
  closers: Closers,
): Promise<void> {
  const stores = new StorePool(storeConfig(settings));
  closers.add('stores', () => stores.close());
  const { store, images } = await openSource(source, flags, stores);

  prepareSharp();
  const pool = await startInference({
    bundleFolder: settings.model ?? defaultBundleFolder(),
    stages: { encode: true, decode: true },
    backend: settings.backend,
    threads: settings.threads,
  });
  closers.add('inference', () => pool.close());
  const { model } = pool;
  if (flags.attention && !model.attends) {
    throw new UserError(`--attention: model ${model.id} does not attend to places in the image.`);
  }

  const printer = await openPrinter(flags);
  const started = performance.now();
  const counts = { captioned: 0, skipped: 0, failed: 0 };
  const rows = captionLocally(images, {
    store,
    pool,
    limits: settings,
    options: captionOptions(flags, model.decoding),
    metrics: new Metrics(),
    batchSize,
  });
  for await (const batch of rows) {
    for (const row of batch) counts[row.status] += 1;
    printer.print(batch);
  }
  await printer.end();

  const seconds = (performance.now() - started) / 1000;
  process.stderr.write(`\n${describeCounts(counts, seconds)}\n`);
  if (counts.failed > 0) process.exitCode = 1;
}

/** A folder or prefix is listed; a single image is itself. */
async function openSource(
  source: string,
  flags: SelectionFlags,
  stores: StorePool,
): Promise<{ store: ObjectStore; images: AsyncIterable<ImageRef> }> {
  const location = parseLocation(source);
  if (location.store.startsWith('file:')) {
    const { store: url, key } = parseObjectLocation(source);
    const stats = await stat(new URL(location.store)).catch(() => undefined);
    if (stats?.isFile()) return { store: await stores.open(url), images: oneImage(key) };
  }
  const store = await stores.open(location.store);
  await store.check();
  return { store, images: listImages({ store, prefix: location.prefix }, selectionOf(flags)) };
}

async function* oneImage(key: string): AsyncGenerator<ImageRef> {
  yield { key, etag: null, bytes: null };
}

async function openPrinter(flags: CaptionCommandFlags): Promise<RowPrinter> {
  if (flags.results === undefined) return createRowPrinter(process.stdout, flags.json ?? false);
  const file = createWriteStream(flags.results);
  await new Promise<void>((resolve, reject) => {
    file.once('open', () => resolve());
    file.once('error', (cause) =>
      reject(new UserError(`Cannot write ${flags.results}: ${cause.message}`)),
    );
  });
  return createRowPrinter(file, true);
}

function describeCounts(
  { captioned, skipped, failed }: Record<PartRow['status'], number>,
  seconds: number,
): string {
  if (captioned + skipped + failed === 0) return 'There are no images to caption there.';
  return [
    `${formatCount(captioned)} captioned in ${formatDuration(seconds)}` +
      (captioned > 0 ? ` (${(captioned / seconds).toFixed(1)} images/s)` : ''),
    failed > 0 ? `${formatCount(failed)} failed` : '',
    skipped > 0 ? `${formatCount(skipped)} skipped` : '',
  ]
    .filter(Boolean)
    .join(', ');
}
