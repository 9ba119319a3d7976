import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** How a producer process ended. */
export interface ProducerExit {
  code: number;
  /** Why, when it did not end well: a line, or the stack trace of a bug. */
  message: string;
  /** What it printed: one JSON line. */
  result: string;
}

export interface ProducerProcess {
  /** Becomes true when the producer has begun to list, false when it ended before. */
  started: Promise<boolean>;
  exited: Promise<ProducerExit>;
  stop(): void;
}

/**
 * Runs the producer as a process of its own, as a cluster would. Signals to this process are
 * passed on: the producer stops in good order, and then so do we.
 *
 * @param onWarning gets its warnings and errors, for a person to read.
 */
export function startProducer(args: string[], onWarning: (text: string) => void): ProducerProcess {
  const main = fileURLToPath(import.meta.resolve('@cutline/producer'));
  // What it logs is how we learn what it does, whatever LOG_LEVEL says.
  const child = spawn(process.execPath, [main, ...args, '--log-level', 'info'], {
    stdio: ['inherit', 'pipe', 'pipe'],
  });
  let isStopping = false; // and what it says about that is ours to say
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      isStopping = true;
      child.kill(signal);
    });
  }
  const otherLines: string[] = [];
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
    if (!event) otherLines.push(line);
    else if (event.level !== 'info' && !isStopping) onWarning(`producer: ${event.text}`);
    else if (event.text === 'producing') hasStarted(true);
  });
  const exited = new Promise<ProducerExit>((resolve) => {
    child.on('close', (code) => {
      hasStarted(false);
      resolve({ code: code ?? 1, message: messageIn(otherLines), result });
    });
  });
  return { started, exited, stop: () => child.kill('SIGTERM') };
}

/** From where it gives its name to the end; all that it wrote, where it died without a word. */
function messageIn(lines: readonly string[]): string {
  const prefix = 'producer: ';
  const start = lines.findIndex((line) => line.startsWith(prefix));
  return start === -1 ? lines.join('\n') : lines.slice(start).join('\n').slice(prefix.length);
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
