import { closeQueues, connectRedis, openQueues, type Queues } from '@cutline/pipeline';
import { UserError } from '@cutline/shared/errors';
import { addSettings, Closers, readSettings, storeConfig } from '@cutline/shared/process';
import { RunStore } from '@cutline/shared/run';
import { parseLocation, StorePool } from '@cutline/shared/stores';
import { type Command, Option } from 'commander';
import type { Redis } from 'ioredis';

/** Flags of the commands about a run that exists: where its results are. */
export function addRunArguments(command: Command): Command {
  return addSettings(
    command
      .argument('<run>', 'name of the run')
      .addOption(
        new Option('--output <location>', 'where the results are, as given to "run"').env(
          'CUTLINE_OUTPUT',
        ),
      ),
    ['s3PathStyle'],
  );
}

/** Connects to Redis and to the queues there; the closers disconnect. */
export async function connectQueues(
  redisUrl: string,
  closers: Closers,
): Promise<{ redis: Redis; queues: Queues }> {
  const redis = await connectRedis(redisUrl);
  closers.add('Redis', () => redis.disconnect());
  const queues = openQueues(redis);
  closers.add('queues', () => closeQueues(queues));
  return { redis, queues };
}

/** Opens the results of a run, and closes what was opened when the work is done or has failed. */
export async function withRun<T>(
  name: string,
  options: Record<string, unknown>,
  work: (context: { run: RunStore; stores: StorePool; closers: Closers }) => Promise<T>,
): Promise<T> {
  const { output } = options;
  if (typeof output !== 'string') {
    throw new UserError(
      'Say where the results of the run are: --output s3://bucket/prefix or a folder ' +
        '(or set CUTLINE_OUTPUT).',
    );
  }
  const closers = new Closers();
  try {
    const stores = new StorePool({
      ...storeConfig(readSettings(options, ['s3PathStyle'])),
      onNotice: (text) => void process.stderr.write(`${text}\n`),
    });
    closers.add('stores', () => stores.close());
    const { store: url, prefix } = parseLocation(output);
    const store = await stores.open(url);
    await store.check();
    const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
    return await work({ run: new RunStore(store, folder, name), stores, closers });
  } finally {
    await closers.closeAll();
  }
}
