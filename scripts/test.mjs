// @ts-check

/**
 * Everything that has to be true before a change lands: types, lint, tests, and the demo as a new
 * user runs it. Arguments go to Vitest, and then the demo is left out:
 *
 *     npm test
 *     npm test -- packages/captioner
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (/** @type {string} */ path) =>
  fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));

/** @type {[string, string[]][]} */
const checks = [
  ['types of tests and scripts', [bin('typescript/bin/tsc'), '-p', 'test/tsconfig.json']],
  ['lint', [bin('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.']],
];

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit status
 */
export async function main(args) {
  const steps = [...checks, step('tests', [bin('vitest/vitest.mjs'), 'run', ...args])];
  if (args.length === 0) steps.push(step('demo', ['scripts/bootstrap.mjs', 'demo']));
  for (const [name, command] of steps) {
    process.stdout.write(`\n── ${name}\n`);
    const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' });
    if (status !== 0) {
      process.stderr.write(`\n${name}: failed (status ${status})\n`);
      return 1;
    }
  }
  return 0;
}

/** @returns {[string, string[]]} */
function step(/** @type {string} */ name, /** @type {string[]} */ command) {
  return [name, command];
}
