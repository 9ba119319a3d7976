import { createRandom } from '@cutline/captioner';
import { type Draw, drawFrom, type FaultKind, type Need } from './fault.ts';
import { processFaults } from './process-faults.ts';
import { redisFaults } from './redis-faults.ts';
import { type RedisKind, redisKinds } from './redis-service.ts';
import { storeFaults } from './store-faults.ts';
import type { Moment, Strike } from './strikes.ts';
import type { WorldOptions } from './world.ts';

/** What a seed decides before its round begins: what goes wrong, and when. */
export interface Schedule {
  images: number;
  /** Of images that are bad; drawn where it is left out. */
  badShare?: number;
  batchSize: number;
  /** How far S3 is: with it, there is more or less in the queues when a fault strikes. */
  latencyMs: { get?: number; put?: number };
  strikes: Strike[];
  /** During a retry of all that failed; none where there is no retry. */
  retryStrikes: Strike[];
}

/** Seeds that follow one another share a world, which is most of what a round costs. */
export function drawWorld(seed: number, can: { fillDisks: boolean }): WorldOptions {
  const random = createRandom(Math.floor(seed / roundsOfWorld) * 104_729 + 1);
  const pools = {
    encoders: random() < 0.6 ? 1 : 2,
    decoders: random() < 0.6 ? 1 : 2,
    appendOnly: random() < 0.5,
    withDisk: random() < 0.2 && can.fillDisks,
  };
  const isOnePool = random() < 0.3;
  const redis = redisKinds[Math.floor(random() * redisKinds.length)] as RedisKind;
  return {
    ...{ ...pools, redis },
    ...(isOnePool && { encoders: 0, decoders: 0 }),
    captioners: isOnePool ? 2 : 0,
  };
}

export const roundsOfWorld = 5;

export function drawSchedule(random: () => number, world: WorldOptions): Schedule {
  const draw = drawFrom(random, [
    ...Array.from({ length: world.encoders }, (_, i) => `encoder-worker ${i + 1}`),
    ...Array.from({ length: world.decoders }, (_, i) => `decoder-worker ${i + 1}`),
    ...Array.from({ length: world.captioners }, (_, i) => `captioner-worker ${i + 1}`),
  ]);
  const batchSize = draw.between(2, 5);
  const images = draw.between(30, 150);
  const has = needsMet(world);
  const kinds = faultKinds.filter(({ needs = [] }) => needs.every((need) => has[need]));
  const batches = Math.ceil(images / batchSize);
  const drawStrikes = (count: number, moment: () => Omit<Moment, 'when'>): Strike[] =>
    Array.from({ length: count }, () => ({
      moment: { when: draw.pick(['before', 'after']), ...moment() },
      fault: pickWeighted(kinds, random).draw(draw),
    }));
  return {
    images,
    batchSize,
    latencyMs: { [draw.pick(['get', 'put'])]: draw.between(0, 250) },
    strikes: drawStrikes(draw.between(2, 8), () => drawMoment(draw, { images, batches, ...world })),
    retryStrikes: drawStrikes(random() < 0.3 ? draw.between(1, 2) : 0, () => drawRetryMoment(draw)),
  };
}

function needsMet({ redis, withDisk }: WorldOptions): Record<Need, boolean> {
  const door = redis === 'alone' || redis === 'replica';
  return { replica: redis !== 'alone', door, disk: withDisk };
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
  { random, between, pick }: Draw,
  { images, batches, withDisk }: { images: number; batches: number; withDisk: boolean },
): Omit<Moment, 'when'> {
  if (withDisk || random() < 0.45) {
    const image = String(between(0, images - 1)).padStart(4, '0');
    return { operation: 'get', key: new RegExp(`/photo-${image}`) };
  }
  const batch = String(between(0, batches - 1)).padStart(6, '0');
  if (random() < 0.6) return { operation: 'put', key: new RegExp(`/parts/${batch}\\.`) };
  return { operation: 'put', key: pick([/run\.json$/, /manifest\//, ...seldomWritten]) };
}

/** A retry is of a few images, whichever they are. */
function drawRetryMoment({ random, pick }: Draw): Omit<Moment, 'when'> {
  if (random() < 0.4) return { operation: 'get', key: /\/photo-/ };
  return { operation: 'put', key: pick([/parts\//, ...seldomWritten]) };
}

const seldomWritten = [/claims\//, /ledger\//, /summary\.json$/];
