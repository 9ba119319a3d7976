import { userInfo } from 'node:os';
import { UserError } from '@cutline/shared/errors';
import { untilStopped } from '@cutline/shared/process';
import { ReviewLog, ReviewReader, reviewerSchema, wholeNumber } from '@cutline/shared/run';
import type { Command } from 'commander';
import { addPageFlags, type PageFlags, pageServing } from '../loopback/page-flags.ts';
import { addResultsArguments, imagesStore, withResults } from '../results/index.ts';
import { formatCount, formatQuantity } from '../terminal/format.ts';
import { say } from '../terminal/say.ts';
import { createStatusLine } from '../terminal/status-line.ts';

interface ReviewFlags extends PageFlags {
  as?: string;
  only?: number;
  sample?: boolean;
  images?: string;
}

export function addReview(program: Command): void {
  const command = program
    .command('review')
    .description('Open a page on which people accept, correct or reject captions.')
    .option('--as <name>', "the reviewer's name, which decisions carry (default: your login)")
    .option('--only <n>', 'no more than n images', wholeNumber({ min: 1 }))
    .option('--sample', 'with --only: drawn by chance, to estimate how many captions are right')
    .option('--images <location>', 'where the images are, if not where they were captioned');
  addPageFlags(command).addHelpText(
    'after',
    '\nThe page is there until Ctrl-C; decisions are kept beside the results.',
  );
  addResultsArguments(command).action(
    async (name: string, flags: ReviewFlags & Record<string, unknown>) => {
      const { only, sample = false } = flags;
      if (sample && only === undefined) {
        throw new UserError('--sample takes --only <n>: how many images to draw.');
      }
      const who = reviewerName(flags.as);
      await withResults(name, flags, async ({ results, stores }) => {
        const { title, papers } = results;
        const source = await stores.open(imagesStore(results, flags.images));
        await source.check();
        const { ImageIndex, Previews, ReviewSession, serveReview, takeDraw } = await import(
          '../review/index.ts'
        ); // which other commands save
        const status = createStatusLine(process.stderr);
        const index = await ImageIndex.read(results, (rows) =>
          status.show(`reading results: ${formatQuantity(rows, 'image')}`),
        );
        status.clear();
        if (index.images.length === 0) throw new UserError(`${title} has no results yet.`);
        const now = () => new Date();
        const reader = new ReviewReader(papers);
        await reader.refresh();
        const taken =
          sample && only !== undefined
            ? await takeDraw(papers, index, reader.reviews, { only, who, now })
            : undefined;
        const session = new ReviewSession({
          ...{ run: results.name, model: (await results.overview()).model },
          ...{ who, index, reader, now, only },
          log: new ReviewLog(papers, who, now),
          draw: taken?.draw,
        });
        const server = await serveReview({
          session,
          previews: new Previews(source, { isMoved: flags.images !== undefined }),
          ...pageServing(flags),
        });
        const what = taken
          ? `${formatQuantity(taken.draw.images.length, 'image')} ${taken.isNew ? 'drawn' : 'of a draw that was begun'}`
          : formatQuantity(index.images.length, 'image');
        say(process.stdout, `${title}: ${what}, reviewed by ${who}`);
        process.stdout.write(`Open this address; Ctrl-C ends it.\n  ${server.url}\n`);
        await untilStopped().stopped;
        await server.close();
        const { accepted, corrected, rejected } = session.open().progress;
        say(
          process.stdout,
          `${title}: ${formatCount(accepted)} accepted, ${formatCount(corrected)} corrected, ` +
            `${formatCount(rejected)} rejected`,
        );
      });
    },
  );
}

/** @throws UserError where it is no name, or there is none */
function reviewerName(given: string | undefined): string {
  const parsed = reviewerSchema.safeParse((given ?? loginName()).normalize('NFC'));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UserError(`Say who reviews, with --as <name>: ${issue?.message}.`);
}

function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return ''; // in a container, say
  }
}
