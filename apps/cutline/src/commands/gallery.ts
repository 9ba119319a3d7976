import { resolve } from 'node:path';
import { defaultBundleFolder, describeBundle } from '@cutline/inference';
import {
  type CaptionedRow,
  type ObjectStore,
  type PartRow,
  StoreError,
  wholeNumber,
} from '@cutline/shared';
import type { Command } from 'commander';
import { formatCount } from '../format.ts';
import { makeThumbnail, type Thumbnail, writeGallery } from '../gallery/index.ts';
import { readRows } from '../read-rows.ts';
import { addRunArguments, withRun } from '../run-context.ts';

export function addGallery(program: Command): void {
  const command = program
    .command('gallery')
    .description('Make one page of a run: images, captions, scores, candidates and failures.')
    .option('--page <file>', 'where to write it', 'gallery.html')
    .option('--limit <n>', 'captioned images on the page, the first ones', wholeNumber(1), 2000);
  addRunArguments(command).action(async (name: string, options) => {
    await withRun(name, options, async ({ run, stores }) => {
      const request = await run.readRun();
      const summary = await run.readSummary();
      const source = await stores.open(request.source.store);
      const bundle = await describeBundle(options.model ?? defaultBundleFolder());
      const page = resolve(options.page);
      const { cards } = await writeGallery(
        {
          run: name,
          model: request.model,
          modelNote: bundle.id === request.model ? bundle.description.description : undefined,
          lengthPenalty: request.options.lengthPenalty,
          created: request.created,
          finished: summary?.finished,
          totals: summary ?? { images: request.images ?? 0, captioned: 0, skipped: 0, failed: 0 },
          rows: flatten(readRows(run)),
          thumbnail: (row) => readThumbnail(source, row),
        },
        page,
        { cardsMax: options.limit },
      );
      process.stdout.write(`${page}: ${formatCount(cards)} images\n`);
    });
  });
}

/** The rows one by one. */
async function* flatten(parts: AsyncIterable<PartRow[]>): AsyncGenerator<PartRow> {
  for await (const rows of parts) yield* rows;
}

/** undefined where the image that was captioned is no longer there. */
async function readThumbnail(
  source: ObjectStore,
  { key, etag }: CaptionedRow,
): Promise<Thumbnail | undefined> {
  try {
    const { bytes } = await source.get(key, { etag: etag ?? undefined });
    return await makeThumbnail(bytes);
  } catch (error) {
    if (error instanceof StoreError && error.reason !== 'misconfigured') return undefined;
    throw error;
  }
}
