import { createRequire } from 'node:module';
import pino, { type Logger } from 'pino';

export type { Logger };

/**
 * Logs go to stderr: one JSON line an event for machines, readable lines where stderr is a
 * terminal. Secrets never reach a log: URLs are logged without their passwords.
 */
export function createLogger(options: {
  process: string;
  level: string;
  /** What every line says besides, of the moment when it is written. */
  fields?: () => object;
}): Logger {
  const stream = process.stderr.isTTY
    ? loadPretty()({ destination: 2, sync: true, ignore: 'pid,hostname,process' })
    : pino.destination({ dest: 2, sync: true });
  return pino(
    {
      level: options.level,
      base: { process: options.process, pid: process.pid },
      formatters: { level: (label) => ({ level: label }) },
      ...(options.fields && { mixin: options.fields }),
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    stream,
  );
}

/** For a command that a person watches: what is wrong, in words, and nothing else. */
export function createNotesLogger(onNote: (text: string) => void): Logger {
  const write = (line: string) => {
    const { msg, error } = JSON.parse(line);
    onNote(error ? `${msg}: ${error}` : msg);
  };
  return pino({ level: 'warn' }, { write });
}

/** Thirty files, for terminals alone. */
function loadPretty(): typeof import('pino-pretty') {
  return createRequire(import.meta.url)('pino-pretty');
}
