import { addSettings, readSettings } from '@cutline/shared/process';
import { wholeNumber } from '@cutline/shared/run';
import { type Command, Option } from 'commander';
import { parseLink } from '../export/index.ts';
import { addInto } from '../files/into-option.ts';
import { galleryLimitDefault, makeGallery } from '../make-gallery.ts';
import { addResultsArguments, imagesStore, withResults } from '../results/index.ts';

interface GalleryFlags {
  into?: string;
  limit: number;
  link?: string;
  images?: string;
}

export function addGallery(program: Command): void {
  const command = program
    .command('gallery')
    .description('Make pages to look at: images, captions, scores, candidates and failures.')
    .addOption(
      new Option('--limit <n>', 'captioned images that are shown, the first ones')
        .argParser(wholeNumber({ min: 1 }))
        .default(galleryLimitDefault, '100,000'),
    )
    .option('--link <url>', 'where originals are, to be opened from the page: https://…/{key}')
    .option('--images <location>', 'where the images are, if not where they were captioned')
    .addHelpText('after', '\nAfter 2,000 images it goes on with gallery-2.html, and so on.');
  addInto(command, '<file>', 'where to write it (default: gallery.html)', { formerly: 'page' });
  addSettings(addResultsArguments(command), ['model']).action(
    async (name: string, flags: GalleryFlags & Record<string, unknown>) => {
      const { model } = readSettings(flags, ['model']);
      const { into = 'gallery.html', limit, link, images } = flags;
      const { requireGalleryFile } = await import('../gallery/index.ts');
      await requireGalleryFile(into);
      const linkOf =
        link === undefined ? undefined : parseLink(link, '--link', { isForPage: true });
      await withResults(name, flags, async ({ results, stores }) => {
        const said = await makeGallery(
          results,
          {
            ...{ file: into, limit, link: linkOf, model, isMoved: images !== undefined },
            imagesStore: imagesStore(results, images),
          },
          stores,
        );
        process.stdout.write(`${said}\n`);
      });
    },
  );
}
