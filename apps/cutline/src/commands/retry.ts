import { failureClasses, type RetryClass, retryClasses } from '@cutline/shared/errors';
import { addSettings } from '@cutline/shared/process';
import { countToRetry, readRunState, windowDefault } from '@cutline/shared/run';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatQuantity } from '../terminal/format.ts';
import { say } from '../terminal/say.ts';
import { followRun } from '../watch/follow-run.ts';
import { addRunArguments, withRun } from '../watch/run-context.ts';

export function addRetry(program: Command): void {
  const command = program
    .command('retry')
    .description('Try failed images again: all of them, or those of some classes.')
    .addOption(
      new Option(
        '--class <names...>',
        `only failures of these classes: ${failureClasses.join(', ')}; or archived: what had to be restored`,
      ).argParser(collectClasses),
    );
  addSettings(addRunArguments(command), ['redis', 'features']).action(
    async (name: string, flags) => {
      const classes: readonly RetryClass[] = flags.class ?? failureClasses;
      const failed = await withRun(name, flags, async ({ run }) => {
        const { summary } = await readRunState(run);
        if (!summary) return undefined; // what that means is found under the lock
        return countToRetry(summary, classes);
      });
      if (failed === 0) {
        const kind = flags.class ? ` of class ${flags.class.join(' or ')}` : '';
        say(process.stdout, `Run ${name} has no failures${kind}: nothing to retry.`);
        return;
      }
      if (failed) process.stderr.write(`Trying ${formatQuantity(failed, 'image')} again.\n`);
      await followRun({ what: { resume: name, retry: classes }, window: windowDefault, flags });
    },
  );
}

/** `corrupt empty`, `corrupt,empty`, or the flag repeated. */
function collectClasses(text: string, previous: RetryClass[] = []): RetryClass[] {
  const classes = text.split(',').map((name) => {
    const known = retryClasses.find((each) => each === name);
    if (known) return known;
    throw new InvalidArgumentError(
      `Expected some of ${retryClasses.join(', ')}. The name of the run comes first.`,
    );
  });
  return [...previous, ...classes];
}
