import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Process, startProcess, stopProcess } from './processes.ts';
import { waitFor } from './wait-for.ts';

/**
 * A Redis of a test file's own: on a free port of 127.0.0.1, in a temporary folder, without
 * persistence, and with `noeviction` unless `args` say otherwise.
 */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Stops it from answering, as a network that swallows packets would; connections stay open. */
  pause(): void;
  resume(): void;
  /** As a crash would: at once, and everything in it is lost. */
  kill(): Promise<void>;
  /** After `kill`: an empty one on the same port. */
  restart(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/**
 * @param args more of Redis's own, such as `['--maxmemory-policy', 'allkeys-lru']`
 * @param cluster whether it is a Redis Cluster, of one node: it refuses commands and scripts whose
 *   keys could lie on several.
 */
export async function startRedis({
  args = [],
  cluster = false,
}: {
  args?: readonly string[];
  cluster?: boolean;
} = {}): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'cutline-redis-'));
  const port = await freePort();
  const start = async () => {
    if (!cluster) return launch(port, folder, args);
    // The default, 10,000 above the port, is not always a port.
    const clusterPort = String(await freePort());
    // biome-ignore format: a flag and its value
    const clusterArgs = [
      '--cluster-enabled', 'yes', '--cluster-port', clusterPort,
      '--cluster-announce-ip', '127.0.0.1', // a node that has met no other knows no address of its own
    ];
    const node = await launch(port, folder, [...clusterArgs, ...args]);
    await takeAllSlots(port);
    return node;
  };
  let server = await start();
  return {
    url: `redis${cluster ? '+cluster' : ''}://127.0.0.1:${port}`,
    port,
    pause: () => server.kill('SIGSTOP'),
    resume: () => server.kill('SIGCONT'),
    async kill() {
      server.kill('SIGKILL');
      await server.exited;
    },
    async restart() {
      server = await start();
    },
    async stop() {
      await stopProcess(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function launch(port: number, folder: string, args: readonly string[]): Promise<Process> {
  const server = await startFirst(
    ['redis-server', 'valkey-server'],
    // biome-ignore format: a flag and its value
    [
      '--port', String(port), '--bind', '127.0.0.1', '--dir', folder,
      '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction', ...args,
    ],
  );
  let ended = false;
  void server.exited.then(() => {
    ended = true;
  });
  try {
    await waitFor(() => ended || answersPing(port), {
      deadlineMs: 10_000,
      what: 'Redis to answer',
    });
    if (ended) throw new Error('Redis ended at once');
    return server;
  } catch (cause) {
    await stopProcess(server, 0);
    throw new Error(`Redis did not start: ${server.stdout.slice(-3).join(' ')}`, { cause });
  }
}

async function startFirst(commands: readonly string[], args: readonly string[]): Promise<Process> {
  for (const command of commands) {
    try {
      return await startProcess({ command, args });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new Error(
    'These tests need redis-server or valkey-server on the PATH: "apt-get install redis-server" ' +
      'on Debian and Ubuntu, "brew install redis" on macOS, "dnf install valkey" on Fedora.',
  );
}

const answersPing = async (port: number) => (await ask(port, 'PING')).startsWith('+PONG');

async function takeAllSlots(port: number): Promise<void> {
  await ask(port, 'CLUSTER ADDSLOTSRANGE 0 16383');
  await waitFor(async () => (await ask(port, 'CLUSTER INFO')).includes('cluster_state:ok'), {
    deadlineMs: 10_000,
    what: 'the cluster to be complete',
  });
}

/** The beginning of what Redis answers; '' where it does not. */
function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 500 });
    const answer = (text: string) => {
      socket.destroy();
      resolve(text);
    };
    socket.once('connect', () => socket.write(`${command}\r\n`));
    socket.once('data', (data) => answer(data.toString()));
    socket.once('error', () => answer(''));
    socket.once('timeout', () => answer(''));
  });
}

/** Free when asked; that another process takes it before Redis does is possible, but unlikely. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No port is free');
  return address.port;
}
