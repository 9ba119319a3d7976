// @ts-check

/**
 * How a script ends when it is asked to: by Ctrl-C (SIGINT), by whoever supervises it (SIGTERM), or
 * because its terminal was closed (SIGHUP). Steps run first, newest first; asked again while they
 * do, it has nothing to do faster.
 */

/** The exit status that says so to a shell: 128 and the signal's number. */
const statuses = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** @type {Set<() => unknown>} */
const steps = new Set();
let isEnding = false;

/** From now on; without this, Node.js ends at once and hears no `exit` handlers. */
export function endOnSignals() {
  for (const [signal, status] of Object.entries(statuses)) {
    process.on(signal, () => void end(status));
  }
}

/**
 * @param {() => unknown} step may return a promise, and may fail without keeping others from it
 * @returns {() => void} forgets it
 */
export function beforeInterruption(step) {
  steps.add(step);
  return () => void steps.delete(step);
}

/** @param {number} status */
async function end(status) {
  if (isEnding) return;
  isEnding = true;
  // A terminal that was closed takes no words any more: that is no reason to stop in the middle.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  for (const step of [...steps].toReversed()) {
    try {
      await step();
    } catch {
      // What the process leaves behind is more important than what went wrong in saying so.
    }
  }
  process.exit(status);
}
