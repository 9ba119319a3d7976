import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { defaultBundleFolder, describeModel } from '@cutline/inference';
import {
  captionLocally,
  requestCaptions,
  requestFeatures,
  requestSelection,
} from '@cutline/pipeline';
import { UserError } from '@cutline/shared/errors';
import { listImages } from '@cutline/shared/listing';
import {
  addSettings,
  Closers,
  Metrics,
  readSettings,
  type Settings,
  storeConfig,
} from '@cutline/shared/process';
import {
  addCaptionFlags,
  addSelectionFlags,
  addUsage,
  type CaptionFlags,
  countRows,
  type FeatureType,
  featureTypeOption,
  type ImageRef,
  type PartRow,
  type Selection,
  type SelectionFlags,
  type UsageTotals,
} from '@cutline/shared/run';
import { type ObjectStore, StorePool } from '@cutline/shared/stores';
import type { Command } from 'commander';
import { formatCount, formatDuration, formatRate, formatUsage } from '../format.ts';
import { openSource } from '../open-source.ts';
import { openStages, stageSettings } from '../open-stages.ts';
import { formatJsonLines, isRows, rowPrinter } from '../print-rows.ts';
import { requireWritable } from '../require-writable.ts';
import { createStatusLine } from '../status-line.ts';

const settingNames = [...stageSettings, 's3PathStyle'] as const;

interface CaptionCommandFlags extends CaptionFlags, SelectionFlags {
  featureType: FeatureType;
  json?: boolean;
  results?: string;
}

export function addCaption(program: Command): void {
  const command = program
    .command('caption')
    .description('Caption images here and now, in one process: no Redis, no workers.')
    .argument('<source>', 'a folder, an image, s3://bucket/prefix or s3://bucket/key')
    .option('--json', 'print rows as JSON Lines instead of a table')
    .option('-o, --results <file>', 'write rows as JSON Lines to a file')
    .addHelpText('after', '\nThe exit status is 1 when an image failed; its row says why.');
  command.addOption(featureTypeOption());
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
  settings: Settings<(typeof settingNames)[number]>,
  closers: Closers,
): Promise<void> {
  const bundleFolder = settings.model ?? defaultBundleFolder();
  const model = await describeModel(bundleFolder);
  const selection = requestSelection(flags, model);
  const options = await requestCaptions(flags, model, bundleFolder);
  const { featureType = 'float16' } = requestFeatures(flags, model);
  if (flags.results !== undefined) await requireWritable(flags.results, isRows);
  const stores = new StorePool(storeConfig(settings));
  closers.add('stores', () => stores.close());
  const { store, images } = await openImages(source, selection, stores);
  const metrics = new Metrics();
  const status = createStatusLine(process.stderr);
  status.show('loading the model …');
  const stages = await openStages(model, bundleFolder, { settings, metrics, closers }).finally(
    status.clear,
  );
  const results = openResults(flags);
  const tally = new Tally();
  process.once('SIGINT', () => {
    status.clear();
    process.stderr.write(`stopped: ${tally.describe()}\n`);
    process.exit(130);
  });
  for await (const rows of captionLocally(images, { store, options, featureType, ...stages })) {
    tally.add(rows);
    status.clear();
    results.write(rows);
    status.show(tally.describe());
  }
  status.clear();
  await results.end();
  const text = tally.images > 0 ? tally.describe() : 'There are no images to caption there.';
  const isBelowTable = process.stdout.isTTY && !flags.json && tally.images > 0;
  process.stderr.write(`${isBelowTable ? '\n' : ''}${text}\n`);
  if (tally.failed > 0) process.exitCode = 1;
}

/** A folder or prefix is listed; a single image is itself. */
async function openImages(
  source: string,
  selection: Selection,
  stores: StorePool,
): Promise<{ store: ObjectStore; images: AsyncIterable<ImageRef> }> {
  const { store, prefix, single } = await openSource(source, stores);
  if (single !== undefined) return { store, images: oneImage(single) };
  return { store, images: listImages({ store, prefix }, selection, { stores }) };
}

async function* oneImage(key: string): AsyncGenerator<ImageRef> {
  yield { key, etag: null, bytes: null };
}

/** Where rows go: to stdout, or to a file. */
function openResults({ results: path, json = false }: CaptionCommandFlags) {
  if (path === undefined) {
    return { write: rowPrinter(process.stdout, { json }), end: async () => {} };
  }
  const file = createWriteStream(path);
  const written = finished(file).catch((cause) => {
    throw new UserError(`${path} could not be written (${cause.code}).`, { cause });
  });
  written.catch(() => {}); // awaited at the end
  return {
    write: (rows: readonly PartRow[]) => void file.write(formatJsonLines(rows)),
    end: () => {
      file.end();
      return written;
    },
  };
}

/** What became of the images so far. */
class Tally {
  captioned = 0;
  skipped = 0;
  failed = 0;
  #usage: UsageTotals | undefined;
  readonly #started = performance.now();

  get images(): number {
    return this.captioned + this.skipped + this.failed;
  }

  add(rows: readonly PartRow[]): void {
    for (const { status } of rows) this[status] += 1;
    const { usage } = countRows(rows);
    if (usage) this.#usage = addUsage(this.#usage, usage);
  }

  /** `70 captioned in 10 s (7.2 images/s), 1 failed` */
  describe(): string {
    const { captioned, skipped, failed } = this;
    const seconds = (performance.now() - this.#started) / 1000;
    const rate = formatRate(captioned / seconds);
    return [
      `${formatCount(captioned)} captioned in ${formatDuration(seconds)}${rate && ` (${rate})`}`,
      failed > 0 ? `${formatCount(failed)} failed` : '',
      skipped > 0 ? `${formatCount(skipped)} skipped` : '',
      this.#usage ? formatUsage(this.#usage) : '',
    ]
      .filter(Boolean)
      .join(', ');
  }
}
