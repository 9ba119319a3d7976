// @ts-check

import { createInterface } from 'node:readline';

/**
 * The other end of line-process.mjs: says `first`, then answers one request after another, until
 * stdin ends.
 *
 * @param {object} first
 * @param {(request: any) => Promise<object>} answer
 */
export async function serveLines(first, answer) {
  say(first);
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      say(await answer(JSON.parse(line)));
    } catch (error) {
      say({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  }
}

/** @param {object} message */
function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
