import { expect, test } from 'vitest';
import { announceInstallation, showStep } from '../scripts/show-installation.mjs';

/** What is said while a fresh clone is made ready. */

test('the demo says when the first caption comes, within 80 columns', () => {
  const said = announceInstallation('demo');
  expect(said).toMatch(/MB to download(.|\n)*first caption/);
  expect(announceInstallation('test')).not.toMatch(/caption/);
  expect(said.split('\n').filter((line) => line.length > 80)).toEqual([]);
});

test('a step is one line in a log, with the time that it took', () => {
  let log = '';
  const stream = { write: (text: string) => (log += text) };
  showStep(stream, 'build', 'from TypeScript')();
  expect(log).toBe('  build     from TypeScript … 0 s\n');
});

test('on a terminal, it is the same line again', () => {
  let shown = '';
  const stream = { write: (text: string) => (shown += text), isTTY: true };
  showStep(stream, 'packages', 'npm')();
  expect(shown.split('\r').at(-1)).toBe('  packages  npm … 0 s\n');
});
