import {
  closeQueues,
  connectRedis,
  openQueues,
  outputLocation,
  type Queues,
  RedisBoard,
  type RunBoard,
  realWorld,
} from '@cutline/pipeline';
import { UserError } from '@cutline/shared/errors';
import {
  addSettings,
  Closers,
  readSettings,
  type Settings,
  storeConfig,
} from '@cutline/shared/process';
import { RunStore } from '@cutline/shared/run';
import { StorePool } from '@cutline/shared/stores';
import { type Command, Option } from 'commander';
import type { Redis } from 'ioredis';
import { say } from '../terminal/say.ts';

/**
 * Flags of the commands about a run that exists: where its results are.
 * @param named what its name may be
 */
export function addRunArguments(command: Command, named = 'name of the run'): Command {
  return addSettings(
    command
      .argument('<run>', named)
      .addOption(
        new Option('--output <location>', 'where the results are, as given to "run"').env(
          'CUTLINE_OUTPUT',
        ),
      ),
    ['s3PathStyle'],
  );
}

/** What Redis knows of runs of one model. */
export interface RedisContext {
  board: RunBoard;
  queues: Queues;
  redis: Redis;
}

/** Connects to Redis; the closers disconnect. */
export async function connectToRun(
  settings: Settings<'redis'>,
  model: string,
  closers: Closers,
): Promise<RedisContext> {
  const world = realWorld;
  const redis = await connectRedis(settings.redis);
  closers.add('Redis', () => redis.disconnect());
  const queues = openQueues({ model, redis, lockMs: 30_000, world });
  closers.add('queues', () => closeQueues(queues));
  return { board: new RedisBoard(redis), queues, redis };
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
      onNotice: (text) => say(process.stderr, text),
    });
    closers.add('stores', () => stores.close());
    const { store: url, prefix } = outputLocation({ output });
    const store = await stores.open(url);
    await store.check();
    return await work({ run: new RunStore(store, prefix, name), stores, closers });
  } finally {
    await closers.closeAll();
  }
}
