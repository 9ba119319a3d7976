import { setTimeout as sleep } from 'node:timers/promises';
import { connectRedis, RedisFeatures, seizeRun, withdrawJobs } from '@cutline/pipeline';
import { addSettings, readSettings } from '@cutline/shared/process';
import type { Command } from 'commander';
import { formatQuantity } from '../format.ts';
import { addRunArguments, connectQueues, withRun } from '../run-context.ts';
import { createStatusLine } from '../status-line.ts';

const settingNames = ['redis', 'featuresRedis'] as const;

export function addCancel(program: Command): void {
  const command = program
    .command('cancel')
    .description('Stop a run, and take what waits off the queues. "resume" goes on with it.');
  addSettings(addRunArguments(command), settingNames).action(async (name: string, options) => {
    await withRun(name, options, async ({ run, closers }) => {
      await run.readRun();
      if (await run.readSummary()) {
        process.stdout.write(`Run ${name} is finished: there is nothing to cancel.\n`);
        return;
      }
      const settings = readSettings(options, settingNames);
      const { redis, queues } = await connectQueues(settings.redis, closers);
      let featuresRedis = redis;
      if (settings.featuresRedis) {
        featuresRedis = await connectRedis(settings.featuresRedis);
        closers.add('Redis for features', () => featuresRedis.disconnect());
      }
      const features = new RedisFeatures(featuresRedis, { ttlMs: 1 });

      const status = createStatusLine(process.stderr);
      const lock = await seizeRun(redis, name);
      closers.add('lock', lock.release);
      const withdraw = () => withdrawJobs({ queues, features }, name);
      const batches = await Promise.race([
        lock.lost,
        withdrawAll(withdraw, lock.producerStopped, status.show),
      ]).finally(status.clear);
      process.stdout.write(
        `Run ${name} is cancelled: ` +
          `${formatQuantity(batches, 'batch was', 'batches were')} taken off the queues.\n` +
          `Its results so far stay in ${run.url}\n` +
          `Go on with: cutline resume ${name} --output ${options.output}\n`,
      );
    });
  });
}

/** @returns how many jobs were taken off, once none is left and none can follow. */
async function withdrawAll(
  withdraw: () => ReturnType<typeof withdrawJobs>,
  producerStopped: Promise<void>,
  show: (text: string) => void,
): Promise<number> {
  let hasStopped = false;
  void producerStopped.then(() => {
    hasStopped = true;
  });
  for (let all = 0; ; ) {
    const isLast = hasStopped;
    const { withdrawn, inHand } = await withdraw();
    all += withdrawn;
    if (isLast && withdrawn + inHand === 0) return all;
    const batches = formatQuantity(inHand, 'batch', 'batches');
    show(inHand > 0 ? `workers finish ${batches} in hand …` : 'its producer stops …');
    await sleep(250);
  }
}
