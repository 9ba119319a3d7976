import { addSettings } from '@cutline/shared/process';
import { windowDefault } from '@cutline/shared/run';
import type { Command } from 'commander';
import { followRun } from '../watch/follow-run.ts';
import { addRunArguments } from '../watch/run-context.ts';

export function addResume(program: Command): void {
  const command = program
    .command('resume')
    .description('Go on with a run: whatever it has no result for is enqueued again.');
  addSettings(addRunArguments(command), ['redis', 'features']).action(
    async (name: string, flags) => {
      await followRun({ what: { resume: name }, window: windowDefault, flags });
    },
  );
}
