import { terminalColumns } from '@cutline/shared/process';
import { cut } from './fit-text.ts';

/**
 * One line that says how far something is. On a terminal it is rewritten in place; elsewhere, in a
 * log say, it is written now and then: after ten seconds at first, later more and more seldom.
 */
export interface StatusLine {
  show(text: string): void;
  /** Takes it off the terminal, before something else is printed. */
  clear(): void;
}

export function createStatusLine(stream: NodeJS.WriteStream): StatusLine {
  return terminalColumns(stream) === undefined ? writeLinesSeldom(stream) : rewriteLine(stream);
}

function rewriteLine(stream: NodeJS.WriteStream): StatusLine {
  const clear = () => {
    stream.cursorTo(0);
    stream.clearLine(0);
  };
  return {
    show(text) {
      clear();
      stream.write(cut(text, (terminalColumns(stream) ?? Number.POSITIVE_INFINITY) - 1));
    },
    clear,
  };
}

const intervalMs = { first: 10_000, last: 300_000 };

function writeLinesSeldom(stream: NodeJS.WriteStream): StatusLine {
  const started = performance.now();
  let next = started + intervalMs.first;
  return {
    show(text) {
      const now = performance.now();
      if (now < next) return;
      next = now + Math.min(intervalMs.last, Math.max(intervalMs.first, (now - started) / 10));
      stream.write(`${text}\n`);
    },
    clear() {},
  };
}
