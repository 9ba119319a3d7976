import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/**
 * Counts the commands that clients send to a Redis from now on; what a script does inside Redis is
 * part of its command.
 *
 * By hand, since ioredis fails when commands of others come in one packet with MONITOR's "OK".
 *
 * @param counts whether a command does, as MONITOR writes it: `"get" "some key"`
 */
export async function countCommands(
  url: string,
  counts: (command: string) => boolean,
): Promise<{ stop(): Promise<number> }> {
  const { hostname, port } = new URL(url);
  const monitor = connect(Number(port), hostname);
  const lines = createInterface({ input: monitor });
  const line = (wanted: (text: string) => boolean) =>
    new Promise<void>((resolve) => {
      lines.on('line', (text) => {
        if (wanted(text)) resolve();
      });
    });
  let commands = 0;
  lines.on('line', (text) => {
    // +1795384934.546503 [0 127.0.0.1:33820] "info", or [0 lua] for what a script calls
    const command = /^\+[\d.]+ \[\d+ (?!lua\])\S+\] (.*)$/.exec(text)?.[1];
    if (command !== undefined && counts(command)) commands += 1;
  });
  const listening = line((text) => text === '+OK');
  monitor.write('MONITOR\r\n');
  await listening;
  return {
    async stop() {
      // Its own line comes after those of all commands before it.
      const caughtUp = line((text) => text.endsWith('"echo" "counted"'));
      const other = connect(Number(port), hostname);
      other.write('echo counted\r\n');
      await caughtUp;
      other.destroy();
      monitor.destroy();
      return commands;
    },
  };
}
