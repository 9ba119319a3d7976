import type { FailureClass } from '@cutline/shared/errors';
import type { Scene } from './world.ts';

/** Something that goes wrong in a round, and is put right after a while. */
export interface Fault {
  /** As a schedule shows it. */
  readonly what: string;
  /** Faults on one thing come one after another: a Redis that is down cannot be filled. */
  readonly on: 'process' | 'redis' | 's3' | 'disk';
  /** Classes in which good images may fail over it; once it is healed, `retry` captions them. */
  readonly excuses?: readonly FailureClass[];
  begin(scene: Scene): Promise<void> | void;
  /** What needs none heals by itself: a worker that died is replaced. */
  heal?(scene: Scene): Promise<void> | void;
  /** From beginning to healing. */
  readonly lastsMs: number;
}

/** What a fault may be drawn from. */
export interface Draw {
  random: () => number;
  between(low: number, high: number): number;
  pick<T>(some: readonly T[]): T;
  /** Names of the workers. */
  workers: readonly string[];
}

/** A replica of Redis, one way to it that all take, a disk that can be filled. */
export type Need = 'replica' | 'door' | 'disk';

/** A kind of fault; `undefined` where the round's world has not what it takes. */
export interface FaultKind {
  readonly name: string;
  /** How often it is drawn, beside others. Default: 1. */
  readonly weight?: number;
  /** What the world must have. */
  readonly needs?: readonly Need[];
  draw(draw: Draw): Fault;
}

export function drawFrom(random: () => number, workers: readonly string[]): Draw {
  return {
    random,
    workers,
    between: (low, high) => Math.round(low + random() * (high - low)),
    pick: (some) => some[Math.floor(random() * some.length)]!,
  };
}
