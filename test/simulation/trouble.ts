import { sidecarKinds } from '@cutline/shared/run';
import type { Draw } from './draw.ts';
import { type SimulatedArchive, short } from './simulated-archive.ts';
import { type SimulatedCutline, sources } from './simulated-cutline.ts';
import { imageBytes } from './simulated-model.ts';
import type { SimulatedPeople } from './simulated-people.ts';
import type { VirtualTime } from './virtual-time.ts';

export const minuteMs = 60_000;

/** What goes wrong does so within these minutes. */
export const troubledMs = 12 * minuteMs;

/** Lets something happen some time within the trouble, mostly soon, with this probability. */
export type Happens = (p: number, what: string, act: () => unknown) => void;

/** What happens to the world meanwhile, whatever processes do. */
export function drawTrouble(
  happens: Happens,
  {
    archive,
    cutline,
    draw,
    people,
    time,
  }: {
    archive: SimulatedArchive;
    cutline: SimulatedCutline;
    draw: Draw;
    people: SimulatedPeople;
    time: VirtualTime;
  },
): void {
  const aWhile = () => time.sleep(draw.between(1_000, 3 * minuteMs));
  const source = cutline.store(sources[0]);
  for (const key of archive.kinds.keys()) {
    happens(0.05, `${short(key)} is deleted`, async () => {
      archive.disturbed.add(key);
      await source.delete(key);
    });
    happens(0.04, `${short(key)} is replaced`, async () => {
      archive.disturbed.add(key);
      if (await source.head(key)) await source.put(key, imageBytes(key, 'replaced'));
    });
  }
  for (const key of archive.kinds.keys()) {
    if (short(key) !== key) continue; // its sidecar's name would be too long
    for (const kind of sidecarKinds) {
      happens(0.02, `somebody writes ${key}.${kind}`, () => people.edit(key, kind));
    }
  }
  happens(0.25, 'Redis is flushed', () => cutline.flushRedis());
  for (const mode of ['full', 'read-only'] as const) {
    happens(0.15, `Redis is ${mode}`, async () => {
      cutline.redis = mode;
      await aWhile();
      cutline.redis = 'fine';
    });
  }
  happens(0.1, 'the engines are broken for a while', async () => {
    cutline.isEngineBroken = true;
    await aWhile();
    cutline.isEngineBroken = false;
  });
  happens(0.1, 'parts are not to be read for a while', async () => {
    cutline.arePartsDenied = true;
    await aWhile();
    cutline.arePartsDenied = false;
  });
}
