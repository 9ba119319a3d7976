import { backoffMs } from '@cutline/shared/backoff';
import { describeError, isTransient } from '@cutline/shared/errors';
import type { Logger } from '@cutline/shared/process';
import type { World } from './world.ts';

/** Before another try of a process of ours, in milliseconds. @param failures so far, at least 1 */
export function pauseMs(failures: number, { random }: Pick<World, 'random'>): number {
  return backoffMs(failures, { baseMs: 1_000, random });
}

/** Tries again what fails transiently, without end; says so once, and when it is over. */
export async function patiently<T>(
  what: string,
  attempt: () => Promise<T>,
  { world, log }: { world: World; log: Logger },
): Promise<T> {
  const started = world.now();
  for (let failures = 0; ; ) {
    try {
      const result = await attempt();
      if (failures > 0) log.warn({ durationMs: world.now() - started }, `${what}: works again`);
      return result;
    } catch (error) {
      if (!isTransient(error)) throw error;
      failures += 1;
      if (failures === 1) log.warn({ error: describeError(error) }, `${what}: waiting`);
      await world.sleep(pauseMs(failures, world));
    }
  }
}
