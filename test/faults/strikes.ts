import { setTimeout as sleep } from 'node:timers/promises';
import type { Operation } from '../support/fault-proxy.ts';
import type { Fault } from './fault.ts';
import type { Scene } from './world.ts';

/** A fault, and when it begins. */
export interface Strike {
  moment: Moment;
  fault: Fault;
}

/**
 * A request that comes to S3, before or after it is carried out. Bound to what is done and not to
 * the clock, a moment is the same on a fast machine and on a slow one.
 */
export interface Moment {
  when: 'before' | 'after';
  operation: Operation;
  key: RegExp;
}

/** Faults that wait for their moments. */
export interface Armed {
  /** What has not struck will not. Resolves when all that has is healed. @throws what faults throw */
  disarm(): Promise<void>;
}

/** Each fault strikes at its moment, once, and those on one thing one after another. */
export function armStrikes(
  scene: Scene,
  strikes: readonly Strike[],
  { onStrike, note }: { onStrike: (fault: Fault) => void; note: (line: string) => void },
): Armed {
  const healed = new Map<Fault['on'], Promise<void>>();
  const strike = async ({ fault, moment }: Strike) => {
    onStrike(fault);
    const earlier = healed.get(fault.on) ?? Promise.resolve();
    const begun = earlier.then(async () => {
      note(`${fault.what} (${describeMoment(moment)})`);
      await fault.begin(scene);
    });
    const over = begun.then(async () => {
      await sleep(fault.lastsMs);
      await fault.heal?.(scene);
      if (fault.heal) note(`over: ${fault.what}`);
    });
    healed.set(fault.on, over);
    over.catch(() => {}); // it is heard when all is healed
    await begun;
  };
  const takeAway = strikes.map((each) => {
    const { when, operation, key } = each.moment;
    const hit = () => strike(each).catch(() => {}); // the same
    const does = when === 'before' ? { before: hit } : { after: hit };
    return scene.pipeline.proxy.add({ operation, key, times: 1, does });
  });
  return {
    async disarm() {
      for (const disarm of takeAway) disarm();
      await Promise.all(healed.values());
    },
  };
}

function describeMoment({ when, operation, key }: Moment): string {
  return `${when} ${operation} ${key.source.replaceAll(/[\\$^]/g, '')}`;
}
