import type { Redis } from 'ioredis';
import type { DecodeJob, EncodeJob } from '../jobs.ts';
import type { World } from '../world.ts';
import { openBullQueue } from './bullmq-queue.ts';
import type { JobQueue } from './job-queue.ts';

/** The two queues that the batches of a model go through. */
export interface Queues {
  encode: JobQueue<EncodeJob>;
  decode: JobQueue<DecodeJob>;
}

/**
 * Opens them on Redis, both over the connection given, which stays open when they are closed.
 * @param options.model `<name>@<hash>`
 * @param options.lockMs after this long without `renew`, a job goes to another worker
 */
export function openQueues(options: {
  redis: Redis;
  model: string;
  lockMs: number;
  world: World;
}): Queues {
  return {
    encode: openBullQueue({ ...options, stage: 'encode' }),
    decode: openBullQueue({ ...options, stage: 'decode' }),
  };
}

export async function closeQueues(queues: Queues): Promise<void> {
  await Promise.all([queues.encode.close(), queues.decode.close()]);
}
