import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startProcess, stopProcess } from './processes.ts';
import { freePort, type RedisServer, startRedis } from './redis-server.ts';
import { waitFor } from './wait-for.ts';

/** What Redis stands in where it is more than one server: replicas, sentinels, clusters. */

/** One command to one server, on a connection of its own. @throws at once where there is none */
export async function command(port: number, ...args: [string, ...(string | number)[]]) {
  const redis = new Redis({
    ...{ port, host: '127.0.0.1', enableReadyCheck: false },
    retryStrategy: () => null,
  });
  redis.on('error', () => {}); // the command says what is wrong
  try {
    return await redis.call(...args);
  } finally {
    redis.disconnect();
  }
}

/** So that a replica need not wait for others that may want a copy, too. */
export const replicationArgs = ['--repl-diskless-sync-delay', '0'];

/** A master and a replica of it that has caught up. */
export async function startPair(): Promise<{ master: RedisServer; replica: RedisServer }> {
  const master = await startRedis({ args: replicationArgs });
  const follow = ['--replicaof', '127.0.0.1', String(master.port)];
  const replica = await startRedis({ args: [...replicationArgs, ...follow] });
  await caughtUp(replica.port);
  return { master, replica };
}

/** Until a replica has all that its master has. */
export async function caughtUp(port: number): Promise<void> {
  await waitFor(
    async () => {
      const answer = await command(port, 'INFO', 'replication').catch(String);
      return String(answer).includes('link_status:up');
    },
    { deadlineMs: 20_000, what: 'the replica to catch up' },
  );
}

export interface Passage {
  readonly port: number;
  /** Leads new connections to another server. Those that are open stay where they are. */
  lead(port: number): void;
  /** Connections that were made to each port so far. */
  made(port: number): number;
  stop(): Promise<void>;
}

/**
 * The address of a service, behind which servers change.
 * @param relay carries what the server answers to whoever asked. Default: as it is.
 */
export async function startPassage(
  first: number,
  relay: (server: Socket, client: Socket) => void = (from, to) => void from.pipe(to),
): Promise<Passage> {
  let target = first;
  const made = new Map<number, number>();
  const sockets = new Set<Socket>();
  const server = createServer((inner) => {
    const outer = connect({ port: target, host: '127.0.0.1' });
    made.set(target, (made.get(target) ?? 0) + 1);
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    inner.pipe(outer);
    relay(outer, inner);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    lead(port) {
      target = port;
    },
    made: (port) => made.get(port) ?? 0,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Sentinel {
  readonly port: number;
  /** Asks it about `main`. */
  ask(...words: string[]): Promise<unknown>;
  /** Until it knows a replica, of which it hears from the master every ten seconds. */
  untilItKnows(replica: RedisServer): Promise<void>;
  /** As soon as there is a replica that it holds for fit. It may not be done yet. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

/** One sentinel, which alone decides on failovers of the master that it calls `main`. */
export async function startSentinel(masterPort: number): Promise<Sentinel> {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-sentinel-'));
  const port = await freePort();
  const file = join(folder, 'sentinel.conf');
  await writeFile(
    file,
    `port ${port}\nbind 127.0.0.1\ndir ${folder}\n` +
      `sentinel monitor main 127.0.0.1 ${masterPort} 1\n` +
      'sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n',
  );
  const process = await startProcess({ command: 'redis-server', args: [file, '--sentinel'] });
  await waitFor(async () => (await command(port, 'PING').catch(String)) === 'PONG', {
    deadlineMs: 10_000,
    what: 'the sentinel to answer',
  });
  const ask: Sentinel['ask'] = (...words) => command(port, 'SENTINEL', ...words, 'main');
  return {
    port,
    ask,
    async untilItKnows(replica) {
      const knows = async () => JSON.stringify(await ask('REPLICAS')).includes(`"${replica.port}"`);
      await waitFor(knows, { deadlineMs: 30_000, what: 'the sentinel to know the replica' });
    },
    async failOver() {
      const begins = () =>
        ask('FAILOVER').then(
          () => true,
          () => false,
        );
      await waitFor(begins, { deadlineMs: 30_000, what: 'the sentinel to begin a failover' });
    },
    async stop() {
      await stopProcess(process);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface ClusterNode {
  master: RedisServer;
  /** Takes over by itself when the master is gone for two seconds; undefined where there is none. */
  replica: RedisServer | undefined;
}

/** Three masters, each with an equal share of the slots, and perhaps a replica of each. */
export async function startCluster({
  withReplicas = false,
  args = [],
}: {
  withReplicas?: boolean;
  args?: readonly string[];
} = {}): Promise<ClusterNode[]> {
  const masters = await startNodes(args);
  for (const [n, { server }] of masters.entries()) {
    const [from, to] = [n, n + 1].map((share) => Math.floor((share * slots) / masters.length));
    await command(server.port, 'CLUSTER', 'SET-CONFIG-EPOCH', n + 1);
    await command(server.port, 'CLUSTER', 'ADDSLOTSRANGE', from as number, (to as number) - 1);
  }
  const replicas = withReplicas ? await startNodes(args) : [];
  const all = [...masters, ...replicas];
  for (const { server } of all) {
    for (const { server: other, busPort } of all) {
      if (other === server) continue;
      await command(server.port, 'CLUSTER', 'MEET', '127.0.0.1', other.port, busPort);
    }
  }
  for (const { server } of all) {
    const isWhole = async () => {
      const info = String(await command(server.port, 'CLUSTER', 'INFO'));
      return info.includes('state:ok') && info.includes(`known_nodes:${all.length}`);
    };
    await waitFor(isWhole, { deadlineMs: 20_000, what: 'the cluster to agree' });
  }
  for (const [n, { server }] of replicas.entries()) {
    const id = String(await command((masters[n] as Node).server.port, 'CLUSTER', 'MYID'));
    await command(server.port, 'CLUSTER', 'REPLICATE', id);
    await caughtUp(server.port);
  }
  return masters.map(({ server: master }, n) => ({ master, replica: replicas[n]?.server }));
}

const slots = 16_384;

interface Node {
  server: RedisServer;
  busPort: number;
}

async function startNodes(args: readonly string[]): Promise<Node[]> {
  const nodes: Node[] = [];
  for (let node = 0; node < 3; node += 1) {
    const busPort = await freePort();
    // biome-ignore format: a flag and its value
    const clusterArgs = [
      '--cluster-enabled', 'yes', '--cluster-port', String(busPort),
      '--cluster-node-timeout', '2000', ...replicationArgs,
    ];
    nodes.push({ server: await startRedis({ args: [...clusterArgs, ...args] }), busPort });
  }
  return nodes;
}
