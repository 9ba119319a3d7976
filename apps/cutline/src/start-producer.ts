import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** How a producer process ended. */
export interface ProducerExit {
  code: number;
  /** Why, when it did not end well. */
  message: string;
  /** What it printed: one JSON line. */
  result: string;
}

/**
 * Runs the producer as a process of its own, as a cluster would.
 *
 * @param onWarning gets its warnings and errors, for a person to read.
 * @returns `started` becomes true when the producer has begun to list, false when it ended before.
 */
export function startProducer(
  args: string[],
  onWarning: (text: string) => void,
): { started: Promise<boolean>; exited: Promise<ProducerExit> } {
  const main = fileURLToPath(import.meta.resolve('@cutline/producer'));
  const child = spawn(process.execPath, [main, ...args], { stdio: ['inherit', 'pipe', 'pipe'] });
  let message = '';
  let result = '';
  let hasStarted: (value: boolean) => void;
  const started = new Promise<boolean>((resolve) => {
    hasStarted = resolve;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    result = line;
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    const event = parseEvent(line);
    if (!event) message = line.replace(/^producer: /, '');
    else if (event.level !== 'info') onWarning(`producer: ${event.text}`);
    else if (event.text === 'producing') hasStarted(true);
  });
  const exited = new Promise<ProducerExit>((resolve) => {
    child.on('close', (code) => {
      hasStarted(false);
      resolve({ code: code ?? 1, message, result });
    });
  });
  // A terminal sends Ctrl-C to both processes: the producer stops in good order, and then we do.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return { started, exited };
}

function parseEvent(line: string): { level: string; text: string } | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const { level, msg, error } = JSON.parse(line);
    return { level, text: error ? `${msg}: ${error}` : msg };
  } catch {
    return undefined;
  }
}
