import { defaultBundleFolder, describeModel } from '@cutline/inference';
import {
  captionLocally,
  requestCaptions,
  requestFeatures,
  requestSelection,
} from '@cutline/pipeline';
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
  RepeatedCaptions,
  type Selection,
  type SelectionFlags,
  type UsageTotals,
} from '@cutline/shared/run';
import { type ObjectStore, StorePool } from '@cutline/shared/stores';
import type { Command } from 'commander';
import { formatCount, formatDuration, formatQuantity, formatRate, formatUsage } from '../format.ts';
import { describeRepeated } from '../format-summary.ts';
import { addInto } from '../into-option.ts';
import { openSource } from '../open-source.ts';
import { openStages, stageSettings } from '../open-stages.ts';
import { rowPrinter } from '../print-rows.ts';
import { RowsFile } from '../rows-file.ts';
import { createStatusLine } from '../status-line.ts';

const settingNames = [...stageSettings, 's3PathStyle'] as const;

interface CaptionCommandFlags extends CaptionFlags, SelectionFlags {
  featureType: FeatureType;
  json?: boolean;
  into?: string;
}

export function addCaption(program: Command): void {
  const command = program
    .command('caption')
    .description('Caption images here and now, in one process: no Redis, no workers.')
    .argument('<source>', 'a folder, an image, s3://bucket/prefix or s3://bucket/key')
    .option('--json', 'print rows as JSON Lines instead of a table')
    .addHelpText('after', '\nThe exit status is 1 when an image failed; its row says why.');
  addInto(command, '<file>', 'write rows as JSON Lines to a file, or go on with one', {
    formerly: 'results',
  });
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
  const file = flags.into === undefined ? undefined : await RowsFile.open(flags.into, model.id);
  if (file) closers.add('the file of rows', () => file.close());
  const stores = new StorePool(storeConfig(settings));
  closers.add('stores', () => stores.close());
  const { store, images } = await openImages(source, selection, stores);
  const metrics = new Metrics();
  const status = createStatusLine(process.stderr);
  status.show('loading the model …');
  const stages = await openStages(model, bundleFolder, { settings, metrics, closers }).finally(
    status.clear,
  );
  const print = rowPrinter(process.stdout, { json: flags.json ?? false });
  const tally = new Tally();
  process.once('SIGINT', () => {
    status.clear();
    process.stderr.write(`stopped: ${tally.describe()}\n`);
    process.exit(130);
  });
  const wanted = file ? without(file, images) : images;
  for await (const rows of captionLocally(wanted, { store, options, featureType, ...stages })) {
    tally.add(rows);
    status.clear();
    if (file) await file.write(rows);
    else print(rows);
    status.show(tally.describe());
  }
  status.clear();
  const text = describeEnd(tally, file?.before ?? 0);
  const isBelowTable = process.stdout.isTTY && !flags.json && tally.images > 0;
  const repeated = describeRepeated(tally.repeated.find(), tally.captioned);
  process.stderr.write(`${isBelowTable ? '\n' : ''}${[text, ...repeated].join('\n')}\n`);
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

async function* without(file: RowsFile, images: AsyncIterable<ImageRef>): AsyncGenerator<ImageRef> {
  for await (const image of images) if (!file.has(image)) yield image;
}

/** @param before images whose rows were there already */
function describeEnd(tally: Tally, before: number): string {
  const rest = before > 0 ? `${formatQuantity(before, 'row')} there already` : '';
  if (tally.images > 0) return [tally.describe(), rest].filter(Boolean).join(', ');
  return before > 0 ? `Nothing to do: ${rest}.` : 'There are no images to caption there.';
}

/** What became of the images so far. */
class Tally {
  captioned = 0;
  skipped = 0;
  failed = 0;
  readonly repeated = new RepeatedCaptions();
  #usage: UsageTotals | undefined;
  readonly #started = performance.now();

  get images(): number {
    return this.captioned + this.skipped + this.failed;
  }

  add(rows: readonly PartRow[]): void {
    for (const { status } of rows) this[status] += 1;
    this.repeated.add(rows);
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
