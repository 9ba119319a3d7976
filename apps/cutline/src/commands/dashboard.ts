import {
  connectRedis,
  FiguresReader,
  openFeatureBooks,
  openQueues,
  outputLocation,
  RedisBoard,
  realWorld,
  WorkerRegister,
} from '@cutline/pipeline';
import { describeError } from '@cutline/shared/errors';
import {
  addSettings,
  Closers,
  readSettings,
  storeConfig,
  untilStopped,
} from '@cutline/shared/process';
import { wholeNumber } from '@cutline/shared/run';
import { StorePool } from '@cutline/shared/stores';
import { type Command, Option } from 'commander';

const settingNames = ['redis', 'features', 's3PathStyle'] as const;

interface DashboardFlags {
  output?: string;
  port: number;
  allowHost: string[];
}

export function addDashboard(program: Command): void {
  const command = program
    .command('dashboard')
    .description('Open a page that shows what goes on: runs, queues, workers, failures.')
    .addOption(
      new Option('--output <location>', 'where results are: to see examples of failures').env(
        'CUTLINE_OUTPUT',
      ),
    )
    .addOption(
      new Option('--port <n>', 'of the page, on 127.0.0.1')
        .argParser(wholeNumber({ min: 0, max: 65_535 }))
        .default(0, 'a free one'),
    )
    .option('--allow-host <name...>', 'a proxy gives the page this name (see docs/REVIEW.md)', [])
    .addHelpText('after', '\nThe page is there until Ctrl-C. It changes nothing.');
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
          board: new RedisBoard(redis),
          features: await openFeatureBooks({ features: settings.features, redis, closers }),
          openQueues: (model) => openQueues({ model, redis, lockMs: 30_000, world: realWorld }),
        });
        closers.add('queues', () => figures.close());
        const { OverviewReader, serveDashboard } = await import('../dashboard/index.ts');
        const server = await serveDashboard({
          overview: new OverviewReader({ figures, register: new WorkerRegister(redis) }),
          output,
          port: flags.port,
          allowedHosts: flags.allowHost.map((host) => host.toLowerCase()),
          onError: (error) => void process.stderr.write(`${describeError(error)}\n`),
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
