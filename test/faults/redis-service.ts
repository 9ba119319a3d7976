import type { RedisServer } from '../support/redis-server.ts';
import { startClusterService } from './redis-cluster-service.ts';
import type { RedisDoor } from './redis-door.ts';
import { startPairService } from './redis-pair-service.ts';
import { startSentinelService } from './redis-sentinel-service.ts';

/** What programs know as Redis: of one server or of several, of which one takes another's place. */
export interface RedisService {
  /** As settings name it. */
  readonly url: string;
  /** For whoever may do everything. */
  readonly adminUrl: string;
  /** The way to it that everybody takes, where there is but one. */
  readonly door: RedisDoor | undefined;
  /** Each has its share of the keys; all but a cluster have one. */
  readonly shards: readonly RedisShard[];
  stop(): Promise<void>;
}

/** A master, and what can take its place. */
export interface RedisShard {
  /** All that are up, replicas too. */
  servers(): readonly RedisServer[];
  master(): Promise<RedisServer>;
  /** What is done to take the place of a master that is dead. Resolves when somebody has it. */
  takeOver(): Promise<void>;
  /** The replica becomes the master, and the master its replica. */
  changePlaces(): Promise<void>;
  /** Until commands are taken again, once all are up. */
  untilWell(): Promise<void>;
  /** Makes a server that is up a replica of the master, where it does not become that by itself. */
  follow(server: RedisServer): Promise<void>;
}

/**
 * - `alone`, `replica`: behind a door, and with somebody who leads it to the replica.
 * - `sentinel`: a master and a replica, which a sentinel watches.
 * - `cluster`: three masters, each with a replica, and a user of few rights.
 */
export const redisKinds = ['alone', 'replica', 'sentinel', 'cluster'] as const;
export type RedisKind = (typeof redisKinds)[number];

/** @param first that is up already, and is part of it unless it is a cluster */
export function startRedisService(
  kind: RedisKind,
  first: RedisServer,
  args: readonly string[],
): Promise<RedisService> {
  if (kind === 'cluster') return startClusterService(args);
  if (kind === 'sentinel') return startSentinelService(first, args);
  return startPairService(first, { withReplica: kind === 'replica', args });
}
