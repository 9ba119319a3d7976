import { seededRandom } from '../simulation/dist/virtual-time.js';
import type { Operation } from '../support/fault-proxy.ts';
import { drawFrom, type Fault, type FaultKind } from './fault.ts';
import { processFaults } from './process-faults.ts';
import { redisFaults } from './redis-faults.ts';
import { storeFaults } from './store-faults.ts';
import type { WorldOptions } from './world.ts';

/** What a seed decides before its round begins: what goes wrong, and when. */
export interface Schedule {
  images: number;
  batchSize: number;
  strikes: Strike[];
}

export interface Strike {
  moment: Moment;
  fault: Fault;
}

/**
 * When a fault begins: as a request reaches S3, before it is carried out. Bound to what is done and
 * not to the clock, a moment is the same on a fast machine and on a slow one.
 */
export interface Moment {
  operation: Operation;
  key: RegExp;
}

/** Seeds that follow one another share a world, which is most of what a round costs. */
export function drawWorld(seed: number, can: { fillDisks: boolean }): WorldOptions {
  const random = seededRandom(Math.floor(seed / roundsOfWorld) * 104_729 + 1);
  return {
    encoders: random() < 0.6 ? 1 : 2,
    decoders: random() < 0.6 ? 1 : 2,
    appendOnly: random() < 0.5,
    withReplica: random() < 0.4,
    withDisk: random() < 0.2 && can.fillDisks,
  };
}

export const roundsOfWorld = 5;

export function drawSchedule(random: () => number, world: WorldOptions): Schedule {
  const draw = drawFrom(random, [
    ...Array.from({ length: world.encoders }, (_, i) => `encoder-worker ${i + 1}`),
    ...Array.from({ length: world.decoders }, (_, i) => `decoder-worker ${i + 1}`),
  ]);
  const batchSize = draw.between(2, 5);
  const images = draw.between(30, 150);
  const kinds = faultKinds.filter(
    ({ needs }) => needs === undefined || (needs === 'disk' ? world.withDisk : world.withReplica),
  );
  const strikes = Array.from({ length: draw.between(2, 6) }, () => ({
    moment: drawMoment(draw, Math.ceil(images / batchSize), images, world),
    fault: pickWeighted(kinds, random).draw(draw),
  }));
  return { images, batchSize, strikes };
}

export const faultKinds: readonly FaultKind[] = [...processFaults, ...redisFaults, ...storeFaults];

function pickWeighted(kinds: readonly FaultKind[], random: () => number): FaultKind {
  let left = random() * kinds.reduce((sum, { weight = 1 }) => sum + weight, 0);
  for (const kind of kinds) {
    left -= kind.weight ?? 1;
    if (left < 0) return kind;
  }
  return kinds[0]!;
}

function drawMoment(
  { random, between, pick }: ReturnType<typeof drawFrom>,
  batches: number,
  images: number,
  { withDisk }: WorldOptions,
): Moment {
  const ofImage = {
    operation: 'get' as const,
    key: new RegExp(`/photo-${String(between(0, images - 1)).padStart(4, '0')}`),
  };
  if (withDisk || random() < 0.45) return ofImage;
  const batch = String(between(0, batches - 1)).padStart(6, '0');
  if (random() < 0.6) return { operation: 'put', key: new RegExp(`/parts/${batch}\\.`) };
  return {
    operation: 'put',
    key: pick([
      /run\.json$/,
      /claims\/0/,
      /manifest\/0/,
      /manifest\/end/,
      /ledgers?\//,
      /summary\.json$/,
    ]),
  };
}

export function describeMoment({ operation, key }: Moment): string {
  return `${operation} ${key.source.replaceAll('\\', '').replaceAll(/[$^]/g, '')}`;
}
