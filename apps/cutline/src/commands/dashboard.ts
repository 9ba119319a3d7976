import {
  connectRedis,
  FiguresReader,
  openFeatureBooks,
  outputLocation,
  WorkerRegister,
} from '@cutline/pipeline';
import {
  addSettings,
  Closers,
  readSettings,
  storeConfig,
  untilStopped,
} from '@cutline/shared/process';
import { StorePool } from '@cutline/shared/stores';
import { type Command, Option } from 'commander';
import { addPageFlags, type PageFlags, pageServing } from '../loopback/page-flags.ts';

const settingNames = ['redis', 'features', 's3PathStyle'] as const;

interface DashboardFlags extends PageFlags {
  output?: string;
}

export function addDashboard(program: Command): void {
  const command = program
    .command('dashboard')
    .description('Open a page that shows what goes on: runs, queues, workers, failures.')
    .addOption(
      new Option('--output <location>', 'where results are: to see examples of failures').env(
        'CUTLINE_OUTPUT',
      ),
    );
  addPageFlags(command).addHelpText(
    'after',
    '\nThe page is there until Ctrl-C. It changes nothing.',
  );
  addSettings(command, settingNames).action(
    async (flags: DashboardFlags & Record<string, unknown>) => {
      const settings = readSettings(flags, settingNames);
      const closers = new Closers();
      try {
        const output = await openOutput(flags, settings, closers);
        const redis = await connectRedis(settings.redis);
        closers.add('Redis', () => redis.disconnect());
        const figures = new FiguresReader({
          redis,
          features: await openFeatureBooks({ features: settings.features, redis, closers }),
        });
        closers.add('queues', () => figures.close());
        const { OverviewReader, serveDashboard } = await import('../dashboard/index.ts');
        const server = await serveDashboard({
          overview: new OverviewReader({ figures, register: new WorkerRegister(redis) }),
          output,
          ...pageServing(flags),
        });
        closers.add('the page', () => server.close());
        process.stdout.write(`Open this address; Ctrl-C ends it.\n  ${server.url}\n`);
        await untilStopped().stopped;
      } finally {
        await closers.closeAll();
      }
    },
  );
}

/** undefined where nobody said where results are. */
async function openOutput(
  { output }: DashboardFlags,
  settings: Parameters<typeof storeConfig>[0],
  closers: Closers,
) {
  if (output === undefined) return undefined;
  const { store: url, prefix } = outputLocation({ output });
  const stores = new StorePool(storeConfig(settings));
  closers.add('stores', () => stores.close());
  const store = await stores.open(url);
  await store.check();
  return { store, prefix };
}
