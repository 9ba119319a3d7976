import { liveBatches, resetProgress } from '@cutline/pipeline';
import { type FailureClass, failureClasses, UserError } from '@cutline/shared/errors';
import { addSettings, readSettings } from '@cutline/shared/process';
import type { RunStore } from '@cutline/shared/run';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { followRun } from '../follow-run.ts';
import { formatQuantity } from '../format.ts';
import { addRunArguments, connectQueues, withRun } from '../run-context.ts';

export function addRetry(program: Command): void {
  const command = program
    .command('retry')
    .description('Try failed images again: all of them, or those of some classes.')
    .addOption(
      new Option(
        '--class <names...>',
        `only failures of these classes: ${failureClasses.join(', ')}`,
      ).argParser(collectClasses),
    );
  addSettings(addRunArguments(command), ['redis']).action(async (name: string, options) => {
    const classes = new Set<FailureClass>(options.class ?? failureClasses);
    const { redis: url } = readSettings(options, ['redis']);
    const images = await withRun(name, options, async ({ run, closers }) => {
      await run.readRun();
      const { redis, queues } = await connectQueues(url, closers);
      if ((await liveBatches(queues, name)).size > 0) {
        throw new UserError(
          `Run "${name}" is under way: retry when it is finished (cutline status ${name}).`,
        );
      }
      const count = await withdrawFailures(run, classes);
      await resetProgress(redis, name);
      return count;
    });
    if (images === 0) {
      const kind = options.class ? ` of class ${options.class.join(' or ')}` : '';
      process.stdout.write(`Run ${name} has no failures${kind}: nothing to retry.\n`);
      return;
    }
    process.stderr.write(`Trying ${formatQuantity(images, 'image')} again.\n`);
    await followRun(name, options, ['--resume', '--run', name]);
  });
}

/** `corrupt empty`, `corrupt,empty`, or the flag repeated. */
function collectClasses(text: string, previous: FailureClass[] = []): FailureClass[] {
  const classes = text.split(',').map((name) => {
    const known = failureClasses.find((each) => each === name);
    if (known) return known;
    throw new InvalidArgumentError(
      `Expected some of ${failureClasses.join(', ')}. The name of the run comes first.`,
    );
  });
  return [...previous, ...classes];
}

/**
 * Takes the rows of failed images out of their parts: the images are then unaccounted for, and a
 * pass of the producer enqueues them like any other. If this stops half-way, "resume" or "retry"
 * goes on from there.
 *
 * @returns how many rows were taken out.
 */
async function withdrawFailures(run: RunStore, classes: Set<FailureClass>): Promise<number> {
  let withdrawn = 0;
  for (const part of [...(await run.listParts()).values()].flat()) {
    const rows = await run.readPart(part);
    const kept = rows.filter((row) => row.status !== 'failed' || !classes.has(row.failure.class));
    if (kept.length === rows.length) continue;
    if (withdrawn === 0) await run.deleteSummary();
    withdrawn += rows.length - kept.length;
    if (kept.length > 0) await run.writePart(part, kept);
    else await run.store.delete(part.key);
  }
  return withdrawn;
}
