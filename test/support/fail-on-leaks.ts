/**
 * Fails the tests of a file during which Node.js warns of listeners that pile up, here or in a
 * process that the tests started: something is opened again and again, and never let go of. Vitest
 * runs this before each file; thrown from a listener, the error is one that no test has caught.
 */
const warning = 'MaxListenersExceededWarning';

/** @param line that a process printed */
export function failOnLeak(line: string): void {
  if (line.includes(warning)) throw new Error(`A process under test leaks: ${line}`);
}

function failOnWarning({ name, message, stack }: Error): void {
  if (name === warning) throw new Error(`Something leaks: ${message}\n${stack}`);
}

// Files that take turns in a process share its listeners, but not this module.
const isHeard = process.listeners('warning').some(({ name }) => name === failOnWarning.name);
if (!isHeard) process.on('warning', failOnWarning);
