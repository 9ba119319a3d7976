import { UserError } from '@cutline/shared/errors';
import type { Command } from 'commander';
import { addResultsArguments, withResults } from '../results/index.ts';
import { formatCount, formatQuantity } from '../terminal/format.ts';
import { say } from '../terminal/say.ts';

export function addWithdraw(program: Command): void {
  const command = program
    .command('withdraw')
    .description('Take away what a run wrote beside images (sidecars); its results stay.');
  addResultsArguments(command).action(async (name: string, options) => {
    await withResults(name, options, async ({ results, stores }) => {
      if (!results.isAtRest) {
        throw new UserError(
          `Run "${name}" is not finished: its workers would write sidecars again. Cancel it first ` +
            `(cutline cancel ${name}).`,
        );
      }
      const { removed, restored, changed, changedCount, missing } =
        await results.withdrawSidecars(stores);
      const lines = [
        `${results.title}: ${formatQuantity(removed, 'file')} removed`,
        ...(restored > 0
          ? [`  ${formatQuantity(restored, 'file of yours is', 'files of yours are')} as before`]
          : []),
        ...(missing > 0 ? [`  ${formatCount(missing)} were gone already`] : []),
        ...(changedCount > 0
          ? [`  ${formatCount(changedCount)} stay: somebody has changed them since`]
          : []),
        ...changed.map((key) => `    ${key}`),
        ...(changedCount > changed.length ? ['    …'] : []),
      ];
      say(process.stdout, lines.join('\n'));
    });
  });
}
