import { pathToFileURL } from 'node:url';
import { type ObjectStore, openStore } from '@cutline/shared/stores';
import { type Environment, type Pipeline, startPipeline } from '../support/pipeline.ts';
import { replicationArgs } from '../support/redis-topologies.ts';
import { Crew } from './crew.ts';
import type { Operator } from './operator.ts';
import { type RedisKind, type RedisService, startRedisService } from './redis-service.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';

/** What rounds play in, one after another: the workers, and all that Cutline stands on. */
export interface World {
  readonly pipeline: Pipeline;
  readonly redis: RedisService;
  /** Where results go, if not to the bucket. */
  readonly disk: SmallDisk | undefined;
  readonly output: ObjectStore;
  /** For commands besides those of the operator. */
  readonly env: Environment;
  readonly crew: Crew;
  stop(): Promise<void>;
}

/** A world in which a run is to be seen to its end. */
export interface Scene extends World {
  readonly operator: Operator;
}

export interface WorldOptions {
  encoders: number;
  decoders: number;
  /** Workers of both stages. */
  captioners: number;
  /** Whether Redis writes down what it is told, and so survives its own death. */
  appendOnly: boolean;
  redis: RedisKind;
  /** Whether results go to a disk that can be filled; else they go to a bucket. */
  withDisk: boolean;
  /** Default: `tiny`. */
  model?: 'tiny' | 'shipped';
}

/** After this long without a sign of life, what a worker has in hand is another's. */
export const lockMs = 1_500;

/** Workers may not be ready yet when it resolves. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const { encoders, decoders, captioners, appendOnly, withDisk } = options;
  const { model = 'tiny' } = options;
  const redisArgs = [...replicationArgs, ...(appendOnly ? ['--appendonly', 'yes'] : [])];
  const pipeline = await startPipeline({ env: patience, redisArgs, model });
  const redis = await startRedisService(options.redis, pipeline.redis, redisArgs);
  const disk = withDisk ? await mountSmallDisk() : undefined;
  const outputUrl = disk ? pathToFileURL(disk.folder).href : pipeline.output.url;
  const output = disk ? await openStore(outputUrl) : pipeline.output;
  const env = { REDIS_URL: redis.url, CUTLINE_OUTPUT: disk?.folder ?? outputUrl };
  const crew = new Crew(pipeline, env, {
    'encoder-worker': encoders,
    'decoder-worker': decoders,
    'captioner-worker': captioners,
  });
  return {
    ...{ pipeline, redis, disk, output, env, crew },
    async stop() {
      await crew.dismiss();
      await pipeline.stop();
      await redis.stop();
      await disk?.unmount();
    },
  };
}

/** As short as it may be set: a round has seconds where an archive has days. */
const patience: Environment = {
  CUTLINE_JOB_LOCK_MS: String(lockMs),
  CUTLINE_FETCH_ATTEMPTS: '2',
  CUTLINE_RETRY_BASE_MS: '20',
  CUTLINE_REMAINDER_DELAY_MS: '100',
};
