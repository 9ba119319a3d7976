import type { Redis } from 'ioredis';
import type { DecodeJob, EncodeJob } from '../jobs.ts';
import type { World } from '../world.ts';
import { BullQueue } from './bullmq-queue.ts';
import type { JobQueue } from './job-queue.ts';

/** The two queues of a model. */
export interface Queues {
  encode: JobQueue<EncodeJob>;
  decode: JobQueue<DecodeJob>;
}

export interface QueuesOptions {
  /** Model id: `<name>@<hash>`. */
  model: string;
  redis: Redis;
  lockMs: number;
  world: World;
}

/**
 * Opens the queues of a model. They are named after its hash, so that several models share a Redis
 * and no worker ever meets a job that is not for it.
 */
export function openQueues({ model, ...options }: QueuesOptions): Queues {
  const hash = modelHash(model);
  const prefix = `{cutline-${hash}}`;
  return {
    encode: new BullQueue({ ...options, prefix, name: `cutline-encode-${hash}` }),
    decode: new BullQueue({ ...options, prefix, name: `cutline-decode-${hash}` }),
  };
}

export async function closeQueues(queues: Queues): Promise<void> {
  await Promise.all([queues.encode.close(), queues.decode.close()]);
}

/** `0123456789ab` of `name@0123456789ab`. */
export function modelHash(model: string): string {
  return model.slice(model.lastIndexOf('@') + 1);
}
