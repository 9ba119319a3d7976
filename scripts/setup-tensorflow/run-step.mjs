// @ts-check

/** Runs the commands of which a setup consists, and turns their failures into one sentence each. */
import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';

/** Something that the user can understand, and perhaps help. Its cause may be what was printed. */
export class SetupError extends Error {}

/** @param {string} line */
export function say(line) {
  process.stdout.write(`${line}\n`);
}

/**
 * Runs a command in silence, and keeps what it printed in a file.
 *
 * @param {string} what the start of the sentence when it fails
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{cwd: string, log: string, timeoutMs: number}} options
 * @returns {string} its standard output
 */
export function runStep(what, command, args, { cwd, log, timeoutMs }) {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: timeoutMs,
    maxBuffer: 64 * 2 ** 20,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = `${stdout}\n${stderr}`;
  appendFileSync(log, `$ ${command} ${args.join(' ')}\n${output}\n`);
  if (status === 0) return stdout;
  throw new SetupError(`${what}: ${explain(error, signal, output)}.`, { cause: output });
}

/** Whether a command is there and runs. */
export function runs(/** @type {string} */ command, /** @type {readonly string[]} */ args) {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 30_000 }).status === 0;
}

/** As Node.js and npm say it. */
const unreachable = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH)\b/;

function explain(
  /** @type {NodeJS.ErrnoException | undefined} */ error,
  /** @type {NodeJS.Signals | null} */ signal,
  /** @type {string} */ output,
) {
  if (error?.code === 'ENOENT') return `there is no ${error.path}`;
  if (error?.code === 'ETIMEDOUT') return 'it took too long';
  if (signal === 'SIGILL') return 'this processor lacks instructions (AVX) that it was built for';
  if (signal) return `it died of ${signal}`;
  // pip does not always say which of the two it was.
  if (output.includes('(from versions: none)')) return 'it finds none, or cannot reach its host';
  if (unreachable.test(output)) return 'its host cannot be reached';
  // npm marks every line as an error, and says last where its log is.
  const lines = output
    .split('\n')
    .map((line) => line.trim().replace(/^npm (error|ERR!) /, ''))
    .filter((line) => !line.startsWith('A complete log of this run'));
  const telling =
    lines.find((line) => /\berror:|, reason: /i.test(line)) ?? lines.findLast(Boolean);
  return telling?.replace(/\.$/, '') ?? 'it says nothing more';
}
