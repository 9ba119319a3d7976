import { cancelRun, openFeatureHomes, realWorld } from '@cutline/pipeline';
import { addSettings, createNotesLogger, readSettings } from '@cutline/shared/process';
import type { Command } from 'commander';
import { formatQuantity } from '../terminal/format.ts';
import { say } from '../terminal/say.ts';
import { createStatusLine } from '../terminal/status-line.ts';
import { addRunArguments, connectToRun, withRun } from '../watch/run-context.ts';

const settingNames = ['redis', 'features'] as const;

export function addCancel(program: Command): void {
  const command = program
    .command('cancel')
    .description('Stop a run, and take what waits off the queues. "resume" goes on with it.');
  addSettings(addRunArguments(command), settingNames).action(async (name: string, options) => {
    await withRun(name, options, async ({ run: runStore, stores, closers }) => {
      const { model } = await runStore.readRun();
      const settings = readSettings(options, settingNames);
      const { board, queues, redis } = await connectToRun(settings, model, closers);
      const { own: features } = await openFeatureHomes({
        ...{ features: settings.features, ttlMs: 1 },
        ...{ redis, stores, closers },
      });
      const status = createStatusLine(process.stderr);
      const log = createNotesLogger((text) => {
        status.clear();
        say(process.stderr, text);
      });
      const batches = await cancelRun(
        { runStore, board, queues, features, world: realWorld, log },
        ({ jobsInHand }) => {
          const inHand = formatQuantity(jobsInHand, 'batch', 'batches');
          status.show(jobsInHand > 0 ? `workers have ${inHand} in hand …` : 'its producer stops …');
        },
      ).finally(status.clear);
      if (batches === undefined) {
        say(process.stdout, `Run ${name} is finished: there is nothing to cancel.`);
        return;
      }
      say(
        process.stdout,
        `Run ${name} is cancelled: ` +
          `${formatQuantity(batches, 'batch was', 'batches were')} taken off the queues.\n` +
          `Its results so far stay in ${runStore.url}\n` +
          `Go on with: cutline resume ${name} --output ${options.output}`,
      );
    });
  });
}
