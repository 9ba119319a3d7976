import type { Redis } from 'ioredis';

/** Lets time pass for the keys of a Redis: those that had less to live are gone. */
export async function ageKeys(redis: Redis, ms: number): Promise<void> {
  for (const key of await redis.keys('*')) {
    const leftMs = await redis.pttl(key);
    if (leftMs >= 0) await redis.pexpire(key, leftMs - ms);
  }
}
