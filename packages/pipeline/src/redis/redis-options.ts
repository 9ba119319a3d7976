import { redisReplyCode } from '@cutline/shared/errors';
import type { RedisAddress } from '@cutline/shared/process';
import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { loadIoredis } from './load-ioredis.ts';
import { steady } from './steady-cluster.ts';

/**
 * How every connection to Redis behaves in an outage, and how a client is made of an address. What
 * is said here holds for BullMQ's connections too: it duplicates the one that it is given, with
 * all of its options.
 */

/**
 * A server (be it named itself or by sentinels), or a cluster. Both have the same commands and
 * scripts; the keys of one script must share a hash tag, `{…}`, for the sake of clusters.
 */
export type RedisConnection = Redis | Cluster;

/** How long to wait before another try to connect, in ms; jitter keeps clients out of step. */
function reconnectMs(attempt: number): number {
  return Math.min(attempt * 100, 3_000) * (0.5 + Math.random() / 2);
}

/** Replies of a server that is not, or not yet, the one that should have been asked. */
const elsewhere: ReadonlySet<string> = new Set([
  'LOADING', // started anew, or copies from its master
  'MASTERDOWN',
  'NOREPLICAS', // a master that a failover may have left behind
  'READONLY', // a replica, which was the master when the connection was made
  'UNBLOCKED', // a blocking command, at the moment when the master became a replica
]);

/**
 * After a failover, open connections still lead to the old master. It answers all that would write
 * with READONLY, for as long as the connection lives; a new connection leads to the new master.
 * None of these commands was carried out, so each is sent again once there is one (2). Of a
 * transaction, ioredis fails the whole instead.
 */
export function reconnectOnError(error: Error): false | 2 {
  const code = redisReplyCode(error);
  return code !== undefined && elsewhere.has(code) ? 2 : false;
}

/** A client that is not connected yet. */
export function createClient(address: RedisAddress, connectTimeoutMs: number): RedisConnection {
  const { Cluster, Redis } = loadIoredis();
  const options = {
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    // BullMQ's blocking commands must be able to wait out an outage.
    maxRetriesPerRequest: null,
    reconnectOnError,
    // A command more a connection, which users of few rights may not give.
    disableClientInfo: true,
    ...(address.username !== undefined && { username: address.username }),
    ...(address.password !== undefined && { password: address.password }),
    ...(address.tls && { tls: {} }),
  } satisfies RedisOptions;
  if (address.kind === 'cluster') {
    const how = { ...clusterOptions(address), redisOptions: options };
    return steady(new Cluster(address.nodes, how));
  }
  const where = address.kind === 'sentinel' ? sentinelOptions(address) : address.nodes[0];
  return new Redis({ ...options, ...where, db: address.db, retryStrategy: reconnectMs });
}

function sentinelOptions({ nodes, masterName, ...address }: RedisAddress) {
  return {
    sentinels: nodes,
    ...(masterName !== undefined && { name: masterName }),
    sentinelRetryStrategy: reconnectMs,
    // A sentinel that hangs must not keep the others from being asked.
    sentinelCommandTimeout: 2_000,
    ...(address.tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
    ...(address.sentinelAuth && {
      ...(address.username !== undefined && { sentinelUsername: address.username }),
      ...(address.password !== undefined && { sentinelPassword: address.password }),
    }),
  } satisfies RedisOptions;
}

function clusterOptions({ tls }: RedisAddress): ClusterOptions {
  return {
    lazyConnect: true,
    clusterRetryStrategy: reconnectMs,
    // A command is tried for 16 s while a replica takes over from its master; Redis's
    // cluster-node-timeout is 15 s. Then it fails, which is transient.
    maxRedirections: 64,
    retryDelayOnFailover: 250,
    retryDelayOnClusterDown: 250,
    slotsRefreshTimeout: 2_000,
    // Certificates are of names, so names must not be replaced by addresses.
    ...(tls && { dnsLookup: (name, callback) => callback(null, name) }),
  };
}
