import type { Redis } from 'ioredis';

/** Where things lie in Redis, for tests that look there or break something. */

/** How many jobs stand in a list of a stage's queue, whichever model's it is. */
export async function countJobs(
  redis: Redis,
  stage: 'encode' | 'decode',
  list: 'wait' | 'active',
): Promise<number> {
  let jobs = 0;
  for (const key of await redis.keys(`{cutline-*}:cutline-${stage}-*:${list}`)) {
    jobs += await redis.llen(key);
  }
  return jobs;
}

/** The key of the features of an attempt, which no other try at it has. */
export async function featuresKey(redis: Redis, attempt: string): Promise<string> {
  const [key] = await redis.keys(`cutline:{features}:blob:${attempt}.*`);
  if (key === undefined) throw new Error(`there are no features of ${attempt}`);
  return key;
}
