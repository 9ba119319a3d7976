import { connect, createServer, type Socket } from 'node:net';

/**
 * The address under which programs know Redis: servers change behind it, and what they answer may
 * be slow, or be lost after it was done.
 */
export interface RedisDoor {
  readonly url: string;
  /** Leads new connections to another server. Those that are open stay where they are. */
  lead(port: number): void;
  /** How long each answer takes longer. */
  delayMs: number;
  /** Of so many answers to come, each is swallowed, and its connection cut. */
  repliesToLose: number;
  stop(): Promise<void>;
}

export async function openRedisDoor(first: number): Promise<RedisDoor> {
  let target = first;
  const sockets = new Set<Socket>();
  const server = createServer((inner) => {
    const outer = connect({ port: target, host: '127.0.0.1' });
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
    let sent: Promise<unknown> = Promise.resolve(); // keeps answers in order
    outer.on('data', (answer) => {
      if (door.repliesToLose > 0) {
        door.repliesToLose -= 1;
        inner.destroy();
        return;
      }
      const due = delay(door.delayMs);
      sent = sent.then(() => due).then(() => inner.writable && inner.write(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const door: RedisDoor = {
    url: `redis://127.0.0.1:${port}`,
    delayMs: 0,
    repliesToLose: 0,
    lead(other) {
      target = other;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return door;
}

function delay(ms: number): Promise<void> | undefined {
  return ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : undefined;
}
