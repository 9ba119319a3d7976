import { writeFile } from 'node:fs/promises';
import {
  defaultBundleFolder,
  describeBundle,
  type ImageLook,
  loadSharp,
  lookAtImage,
} from '@cutline/inference';
import { listImages } from '@cutline/shared/listing';
import {
  addSettings,
  Closers,
  readSettings,
  storeConfig,
  terminalColumns,
} from '@cutline/shared/process';
import { addSelectionFlags, type SelectionFlags, selectionOf } from '@cutline/shared/run';
import {
  type ObjectStore,
  StoreError,
  type StoreErrorReason,
  StorePool,
} from '@cutline/shared/stores';
import type { Command } from 'commander';
import { addInto } from '../files/into-option.ts';
import { requireWritable } from '../files/require-writable.ts';
import { openSource } from '../open-source.ts';
import { pad, shorten, wrap } from '../terminal/fit-text.ts';
import { describeReason, formatCounts, formatQuantity } from '../terminal/format.ts';
import { formatFields } from '../terminal/format-model.ts';
import { say } from '../terminal/say.ts';

const settingNames = [
  'model',
  's3PathStyle',
  'imageBytesMax',
  'imagePixelsMax',
  'decodeTimeoutMs',
] as const;

interface LookFlags extends SelectionFlags {
  into?: string;
}

export function addLook(program: Command): void {
  const command = program
    .command('look')
    .description('Say what Cutline makes of an image file, or of each in a folder or bucket.')
    .argument('<source>', 'an image, a folder, s3://bucket/prefix or s3://bucket/key')
    .addHelpText('after', '\nThe exit status is 1 when an image would not be captioned.');
  addInto(command, '<file.png>', 'write the picture just as the model sees it (of one image)', {
    formerly: 'seen',
  });
  addSettings(addSelectionFlags(command), settingNames).action(
    async (source: string, flags: LookFlags & Record<string, unknown>) => {
      const closers = new Closers();
      try {
        await look(source, flags, closers);
      } finally {
        await closers.closeAll();
      }
    },
  );
}

async function look(
  source: string,
  flags: LookFlags & Record<string, unknown>,
  closers: Closers,
): Promise<void> {
  const settings = readSettings(flags, settingNames);
  const { preprocessing } = await describeBundle(settings.model ?? defaultBundleFolder());
  const stores = new StorePool(storeConfig(settings));
  closers.add('stores', () => stores.close());
  const opened = await openSource(source, stores);
  const { store, prefix } = opened;
  const single = opened.single ?? (await objectNamed(store, prefix));
  const limits = { pixelsMax: settings.imagePixelsMax, timeoutMs: settings.decodeTimeoutMs };
  const lookAt = async (key: string): Promise<ImageLook> => {
    try {
      const { bytes } = await store.get(key, { bytesMax: settings.imageBytesMax });
      return await lookAtImage({ key, bytes }, preprocessing, limits);
    } catch (error) {
      if (!(error instanceof StoreError) || !aboutOne.has(error.reason)) throw error;
      const failure = { class: error.reason, message: error.message };
      return { format: '', facts: {}, outcome: { failure } };
    }
  };
  if (single !== undefined) {
    if (flags.into !== undefined) await requireWritable(flags.into, (head) => /^.PNG/.test(head));
    const found = await lookAt(single);
    process.stdout.write(formatLook(single, found));
    if (flags.into !== undefined) await writeSeen(flags.into, found, preprocessing);
    if ('failure' in found.outcome) process.exitCode = 1;
    return;
  }
  const columns = terminalColumns(process.stdout) ?? Number.POSITIVE_INFINITY;
  const counts: Record<string, number> = {};
  for await (const { key, skipped } of listImages({ store, prefix }, selectionOf(flags), {
    stores,
  })) {
    const found = skipped ? undefined : await lookAt(key);
    const outcome = found ? outcomeOf(found) : `skipped: ${describeReason(skipped ?? '')}`;
    const name = outcome.split(':')[0] ?? outcome;
    counts[name] = (counts[name] ?? 0) + 1;
    const format = found ? formatOf(found) : '';
    process.stdout.write(`${formatRow([key, format, outcome], columns)}\n`);
  }
  const images = Object.values(counts).reduce((sum, n) => sum + n, 0);
  say(process.stderr, `${formatQuantity(images, 'file')}: ${formatCounts(counts)}`);
  if (Object.keys(counts).some((name) => name !== 'captioned' && name !== 'skipped')) {
    process.exitCode = 1;
  }
}

/** What a store says of one object, and others may be looked at nevertheless. */
const aboutOne = new Set<StoreErrorReason>(['not-found', 'access-denied', 'too-large', 'changed']);

/** A prefix may be the key of an object. */
async function objectNamed(store: ObjectStore, prefix: string): Promise<string | undefined> {
  if (prefix === '' || prefix.endsWith('/')) return undefined;
  return (await store.head(prefix)) ? prefix : undefined;
}

function formatOf({ format, facts, outcome }: ImageLook): string {
  const size = 'seen' in outcome ? `${outcome.seen.width}×${outcome.seen.height}` : facts.size;
  return size ? `${format} ${size}` : format;
}

function outcomeOf({ outcome }: ImageLook): string {
  if ('seen' in outcome) return 'captioned';
  if ('skipped' in outcome) return `skipped: ${describeReason(outcome.skipped)}`;
  return `${outcome.failure.class}: ${outcome.failure.message}`;
}

function formatLook(key: string, found: ImageLook): string {
  const { format, facts, taken, outcome } = found;
  const field = (name: string, text: string): [string, string] => [name, text];
  const fields = [
    field('format', format),
    ...Object.entries(facts),
    ...(taken ? [field('decoder', taken.decoder)] : []),
    ...(taken && taken.page > 0 ? [field('taken', `page ${taken.page + 1}`)] : []),
    field('outcome', outcomeOf(found)),
    ...('seen' in outcome
      ? [field('seen', `${outcome.seen.width}×${outcome.seen.height}, upright`)]
      : []),
  ];
  return `${key}\n${formatFields(fields, terminalColumns(process.stdout) ?? Number.POSITIVE_INFINITY)}`;
}

async function writeSeen(
  path: string,
  { outcome }: ImageLook,
  { width, height }: { width: number; height: number },
): Promise<void> {
  if (!('seen' in outcome)) return;
  const sharp = await loadSharp();
  const raw = { width, height, channels: 3 as const };
  await writeFile(path, await sharp(outcome.seen.pixels, { raw }).png().toBuffer());
}

const widths = { format: 24, outcomeMin: 20 };

/** Key, format and outcome: in columns on a terminal, wrapped to its width; elsewhere with tabs. */
function formatRow(cells: [string, string, string], columns: number): string {
  if (!Number.isFinite(columns)) return cells.join('\t');
  const [key, format, outcome] = cells;
  const keyWidth = Math.max(16, Math.floor(columns * 0.35));
  const width = Math.max(widths.outcomeMin, columns - keyWidth - widths.format - 4);
  return wrap(outcome, width)
    .map((line, index) => {
      const [shownKey, shownFormat] = index === 0 ? [shorten(key, keyWidth), format] : ['', ''];
      return `${pad(shownKey, keyWidth)}  ${pad(shownFormat, widths.format)}  ${line}`;
    })
    .join('\n');
}
