import { resolve } from 'node:path';
import { defaultBundleFolder, describeModel } from '@cutline/inference';
import { addSettings, readSettings } from '@cutline/shared/process';
import {
  addCounts,
  applyReview,
  countResults,
  countReviews,
  type PartRow,
  type ResultRow,
  type Reviews,
  type RunState,
  type RunStore,
  readResults,
  readReviews,
  readRunState,
  wholeNumber,
} from '@cutline/shared/run';
import { type ObjectStore, StoreError } from '@cutline/shared/stores';
import { type Command, Option } from 'commander';
import { formatQuantity } from '../format.ts';
import type { Thumbnail } from '../gallery/index.ts';
import { addInto } from '../into-option.ts';
import { requireWritable } from '../require-writable.ts';
import { addRunArguments, withRun } from '../run-context.ts';

export function addGallery(program: Command): void {
  const command = program
    .command('gallery')
    .description('Make one page of a run: images, captions, scores, candidates and failures.')
    .addOption(
      new Option('--limit <n>', 'captioned images on the page, the first ones')
        .argParser(wholeNumber({ min: 1 }))
        .default(2000, '2,000'),
    );
  addInto(command, '<file>', 'where to write it (default: gallery.html)', { formerly: 'page' });
  addSettings(addRunArguments(command), ['model']).action(async (name: string, options) => {
    const { model } = readSettings(options, ['model']);
    const { into = 'gallery.html' } = options;
    await requireWritable(into, (head) => head.includes(generator));
    await withRun(name, options, async ({ run, stores }) => {
      const state = await readRunState(run);
      const { run: request, summary } = state;
      const source = await stores.open(request.source.store);
      const bundle = await describeModel(model ?? defaultBundleFolder());
      const reviews = await readReviews(run);
      const page = resolve(into);
      const { writeGallery } = await import('../gallery/index.ts'); // which other commands save
      const { cards } = await writeGallery(
        {
          run: name,
          model: request.model,
          modelNote: bundle.id === request.model ? bundle.description.description : undefined,
          lengthPenalty: request.options.lengthPenalty,
          created: request.created,
          finished: summary?.finished,
          totals: { ...(summary ?? (await countSoFar(run, state))), reviewed: sum(reviews) },
          rows: reviewed(readResults(run, state), reviews),
          thumbnail: (row) => readThumbnail(source, row),
        },
        page,
        { cardsMax: options.limit },
      );
      process.stdout.write(`${page}: ${formatQuantity(cards, 'image')}\n`);
    });
  });
}

/** What a page of ours says of itself. */
const generator = '<meta name="generator" content="Cutline">';

/** What an unfinished run has so far; the page calls the rest still to do. */
async function countSoFar(run: RunStore, state: RunState) {
  const counts = addCounts(await countResults(run, state));
  return { ...counts, images: state.manifest.images ?? counts.images };
}

/** Images that somebody has judged. */
function sum(reviews: Reviews): number {
  return Object.values(countReviews(reviews)).reduce((all, n) => all + n, 0);
}

/** The rows one by one, with what people say of them. */
async function* reviewed(
  parts: AsyncIterable<PartRow[]>,
  reviews: Reviews,
): AsyncGenerator<ResultRow> {
  for await (const rows of parts) for (const row of rows) yield applyReview(row, reviews);
}

/** undefined where the image that was captioned is no longer there, or cannot be decoded. */
async function readThumbnail(
  source: ObjectStore,
  { key, etag }: { key: string; etag: string | null },
): Promise<Thumbnail | undefined> {
  try {
    const { bytes } = await source.get(key, { etag: etag ?? undefined });
    const { makeThumbnail } = await import('../gallery/index.ts');
    return await makeThumbnail(bytes).catch(() => undefined);
  } catch (error) {
    if (error instanceof StoreError && error.reason !== 'misconfigured') return undefined;
    throw error;
  }
}
