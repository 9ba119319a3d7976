import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startProcess, stopProcess } from './processes.ts';
import { freePort, type RedisServer, startRedis } from './redis-server.ts';
import { waitFor } from './wait-for.ts';

/** What Redis stands in where it is more than one server: replicas, sentinels, clusters. */

/** One command to one server, on a connection of its own. */
export async function command(port: number, ...args: [string, ...(string | number)[]]) {
  const redis = new Redis({ port, host: '127.0.0.1', enableReadyCheck: false });
  redis.on('error', () => {}); // the command says what is wrong
  try {
    return await redis.call(...args);
  } finally {
    redis.disconnect();
  }
}

/** A master and a replica of it that has caught up. */
export async function startPair(): Promise<{ master: RedisServer; replica: RedisServer }> {
  const args = ['--repl-diskless-sync-delay', '0'];
  const master = await startRedis({ args });
  const follow = ['--replicaof', '127.0.0.1', String(master.port)];
  const replica = await startRedis({ args: [...args, ...follow] });
  await caughtUp(replica.port);
  return { master, replica };
}

async function caughtUp(port: number): Promise<void> {
  await waitFor(
    async () => String(await command(port, 'INFO', 'replication')).includes('link_status:up'),
    { deadlineMs: 10_000, what: 'the replica to catch up' },
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
  await waitFor(async () => (await command(port, 'PING')) === 'PONG', {
    deadlineMs: 10_000,
    what: 'the sentinel to answer',
  });
  return {
    port,
    async stop() {
      await stopProcess(process);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Masters only: each has an equal share of the slots. */
export async function startCluster(nodes = 3): Promise<RedisServer[]> {
  const servers: { server: RedisServer; busPort: number }[] = [];
  for (let node = 0; node < nodes; node += 1) {
    const busPort = await freePort();
    // biome-ignore format: a flag and its value
    const args = [
      '--cluster-enabled', 'yes', '--cluster-port', String(busPort),
      '--cluster-node-timeout', '2000',
    ];
    servers.push({ server: await startRedis({ args }), busPort });
  }
  const slots = 16_384;
  for (const [node, { server }] of servers.entries()) {
    const from = Math.floor((node * slots) / nodes);
    const to = Math.floor(((node + 1) * slots) / nodes) - 1;
    await command(server.port, 'CLUSTER', 'SET-CONFIG-EPOCH', node + 1);
    await command(server.port, 'CLUSTER', 'ADDSLOTSRANGE', from, to);
  }
  for (const { server } of servers) {
    for (const { server: other, busPort } of servers) {
      if (other === server) continue;
      await command(server.port, 'CLUSTER', 'MEET', '127.0.0.1', other.port, busPort);
    }
  }
  for (const { server } of servers) {
    await waitFor(
      async () => String(await command(server.port, 'CLUSTER', 'INFO')).includes('state:ok'),
      { deadlineMs: 20_000, what: 'the cluster to agree' },
    );
  }
  return servers.map(({ server }) => server);
}
