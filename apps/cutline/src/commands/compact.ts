import { UserError } from '@cutline/shared/errors';
import { addSettings } from '@cutline/shared/process';
import { readRunState, windowDefault } from '@cutline/shared/run';
import type { Command } from 'commander';
import { formatQuantity } from '../terminal/format.ts';
import { say } from '../terminal/say.ts';
import { followRun } from '../watch/follow-run.ts';
import { addRunArguments, withRun } from '../watch/run-context.ts';

export function addCompact(program: Command): void {
  const command = program
    .command('compact')
    .description('Make Parquet files of the parts of a run that is finished.')
    .addHelpText(
      'after',
      '\nRuns of more than a few batches are compacted as they go. This is for\n' +
        'smaller ones, those with --keep-parts, and those of earlier versions. See\n' +
        'docs/FORMATS.md.',
    );
  addSettings(addRunArguments(command), ['redis', 'features']).action(
    async (name: string, flags) => {
      const parts = await withRun(name, flags, async ({ run }) => {
        const { summary, run: asked } = await readRunState(run);
        if (!summary) {
          throw new UserError(
            `Run "${name}" is not finished: compact it when it is (cutline resume ${name}).`,
          );
        }
        if (asked.options.attention) {
          throw new UserError(
            `Run "${name}" keeps where the model looked (--attention), which is too much for one ` +
              'file a chunk: its results stay in parts.',
          );
        }
        return summary.parts;
      });
      if (parts === 0) {
        say(process.stdout, `Run ${name} has no parts: nothing to compact.`);
        return;
      }
      const what = { resume: name, compact: true };
      await followRun({ what, window: windowDefault, flags });
      const were = parts === 1 ? 'Its part is' : `Its ${formatQuantity(parts, 'part')} are`;
      say(process.stdout, `${were} compacted now: a file of results for each chunk.`);
    },
  );
}
