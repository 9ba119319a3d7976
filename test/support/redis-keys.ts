import { Cluster, type Redis } from 'ioredis';

/** Where things lie in Redis, for tests that look there or break something. */

/** All keys that match; of a cluster, those of all masters. */
export async function findKeys(redis: Redis, pattern: string): Promise<string[]> {
  const masters = (redis as Redis | Cluster) instanceof Cluster ? nodesOf(redis) : [redis];
  return (await Promise.all(masters.map((master) => master.keys(pattern)))).flat();
}

function nodesOf(redis: unknown): Redis[] {
  return (redis as Cluster).nodes('master');
}

/** How many jobs stand in a list of a stage's queue, whichever model's it is. */
export async function countJobs(
  redis: Redis,
  stage: 'encode' | 'decode',
  list: 'wait' | 'active',
): Promise<number> {
  let jobs = 0;
  for (const key of await findKeys(redis, `{cutline-*}:cutline-${stage}-*:${list}`)) {
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
