import { startPassage } from '../support/redis-topologies.ts';

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
  const passage = await startPassage(first, (redis, client) => {
    let sent: Promise<unknown> = Promise.resolve(); // keeps answers in order
    redis.on('data', (answer) => {
      if (door.repliesToLose > 0) {
        door.repliesToLose -= 1;
        client.destroy();
        return;
      }
      const due = delay(door.delayMs);
      sent = sent.then(() => due).then(() => client.writable && client.write(answer));
    });
  });
  const { port, lead, stop } = passage;
  const door: RedisDoor = {
    url: `redis://127.0.0.1:${port}`,
    delayMs: 0,
    repliesToLose: 0,
    lead,
    stop,
  };
  return door;
}

function delay(ms: number): Promise<void> | undefined {
  return ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : undefined;
}
