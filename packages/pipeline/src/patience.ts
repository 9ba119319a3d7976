import { describeError, isTransient } from '@cutline/shared/errors';
import type { Logger } from '@cutline/shared/process';
import type { World } from './world.ts';

/**
 * How long to wait before another try at what an outage made fail: soon at first, then every
 * minute or so; jitter keeps processes from returning in step.
 * @param failures so far, at least 1
 */
export function backoffMs(failures: number, world: Pick<World, 'random'>): number {
  const ceiling = Math.min(60_000, 1_000 * 2 ** Math.min(failures - 1, 10));
  return ceiling * (0.5 + world.random() / 2);
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
      await world.sleep(backoffMs(failures, world));
    }
  }
}
