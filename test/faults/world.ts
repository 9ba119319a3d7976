import { pathToFileURL } from 'node:url';
import { type ObjectStore, openStore } from '@cutline/shared/stores';
import { type Environment, type Pipeline, startPipeline } from '../support/pipeline.ts';
import { Crew } from './crew.ts';
import { Operator, runName } from './operator.ts';
import { type RedisService, replicationArgs, startRedisService } from './redis-service.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';

/** What a round plays in: Cutline's programs, and all that they stand on. */
export interface World {
  readonly pipeline: Pipeline;
  readonly redis: RedisService;
  /** Where results go, if not to the bucket. */
  readonly disk: SmallDisk | undefined;
  readonly output: ObjectStore;
  /** For commands besides those of the operator. */
  readonly env: Environment;
  readonly crew: Crew;
  readonly operator: Operator;
  stop(): Promise<void>;
}

export interface WorldOptions {
  encoders: number;
  decoders: number;
  batchSize: number;
  /** Whether Redis writes down what it is told, and so survives its own death. */
  appendOnly: boolean;
  withReplica: boolean;
  /** Whether results go to a disk that can be filled; else they go to a bucket. */
  withDisk: boolean;
}

/** After this long without a sign of life, what a worker has in hand is another's. */
export const lockMs = 1_500;

/** Everything runs when it resolves, but the run is not begun. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const { encoders, decoders, batchSize, appendOnly, withReplica, withDisk } = options;
  const redisArgs = [...replicationArgs, ...(appendOnly ? ['--appendonly', 'yes'] : [])];
  const pipeline = await startPipeline({ env: patience, redisArgs });
  const redis = await startRedisService(pipeline.redis, { withReplica, args: redisArgs });
  const disk = withDisk ? await mountSmallDisk() : undefined;
  const outputUrl = disk ? pathToFileURL(disk.folder).href : pipeline.output.url;
  const output = disk ? await openStore(outputUrl) : pipeline.output;
  const env = { REDIS_URL: redis.door.url, CUTLINE_OUTPUT: disk?.folder ?? outputUrl };
  const crew = new Crew(pipeline, env, { 'encoder-worker': encoders, 'decoder-worker': decoders });
  const runArgs = ['s3://archive/', '--run', runName, '--batch-size', String(batchSize)];
  const operator = new Operator({ pipeline, env, output, runArgs });
  return {
    ...{ pipeline, redis, disk, output, env, crew, operator },
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
