import { UserError } from '@cutline/shared/errors';
import {
  existingOption,
  readReviews,
  type SidecarFlags,
  sidecarKindsOption,
  sidecarRulesDefault,
} from '@cutline/shared/run';
import type { Command } from 'commander';
import { addResultsArguments, withResults } from '../results/index.ts';
import { formatCount, formatQuantity } from '../terminal/format.ts';
import { say } from '../terminal/say.ts';

type SidecarsCommandFlags = Partial<Pick<SidecarFlags, 'sidecars' | 'existing'>>;

export function addSidecars(program: Command): void {
  const command = program
    .command('sidecars')
    .description('Write what people decided in a review into the files beside images.')
    .addOption(sidecarKindsOption('txt, json, xmp (with commas; default: those of the run)'))
    .addOption(existingOption())
    .addHelpText(
      'after',
      '\nOnly of images that were reviewed; where a caption was rejected, what the run\nwrote goes.',
    );
  addResultsArguments(command).action(
    async (name: string, flags: SidecarsCommandFlags & Record<string, unknown>) => {
      await withResults(name, flags, async ({ results, stores }) => {
        const { title, request, papers } = results;
        const kinds = flags.sidecars ?? request?.sidecars ?? [];
        if (kinds.length === 0) {
          throw new UserError(
            `${title} was begun without sidecars. Say which: --sidecars txt,json,xmp (or some of them).`,
          );
        }
        const rules = { ...(request?.sidecarRules ?? sidecarRulesDefault) };
        if (flags.existing) rules.existing = flags.existing;
        const reviews = await readReviews(papers);
        const renewal = await results.renewSidecars(reviews, { kinds, rules }, stores);
        const { images, kept, removed, refused } = renewal;
        const lines = [
          `${title}: the sidecars of ${formatQuantity(images, 'reviewed image')} say what was decided`,
          ...(removed > 0
            ? [`  ${formatCount(removed)} taken away, of captions that were rejected`]
            : []),
          ...(kept > 0 ? [`  ${formatCount(kept)} of yours kept as they are`] : []),
          ...(refused > 0
            ? [`  ${formatCount(refused)} could not be written: the store holds no such key`]
            : []),
        ];
        say(process.stdout, lines.join('\n'));
      });
    },
  );
}
