import { verifyRun } from '@cutline/shared/run';
import type { Command } from 'commander';
import { formatQuantity } from '../terminal/format.ts';
import { say } from '../terminal/say.ts';
import { addRunArguments, withRun } from '../watch/run-context.ts';

export function addVerify(program: Command): void {
  const command = program
    .command('verify')
    .description('Recompute a run from its results alone: every key, every hash, every total.');
  addRunArguments(command).action(async (name: string, options) => {
    await withRun(name, options, async ({ run }) => {
      const verified = await verifyRun(run, (problem) => say(process.stdout, problem));
      const { problems, images, parts, files, chunks, decisions } = verified;
      const what =
        `${formatQuantity(images, 'image')}, ` +
        (files > 0 ? `${formatQuantity(files, 'file')} of results, ` : '') +
        (parts > 0 || files === 0 ? `${formatQuantity(parts, 'part')}, ` : '') +
        formatQuantity(chunks, 'chunk') +
        (decisions > 0 ? `, ${formatQuantity(decisions, 'decision')} of reviewers` : '');
      if (problems.length === 0) {
        say(process.stdout, `Run ${name} is whole: ${what}; every image has one row.`);
        return;
      }
      say(process.stdout, `Run ${name}: ${formatQuantity(problems.length, 'problem')} (${what}).`);
      process.exitCode = 1;
    });
  });
}
