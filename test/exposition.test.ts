import { Metrics } from '@cutline/shared/process';
import { expect, test } from 'vitest';
import { parseExposition } from './support/exposition.ts';

/** The strict reader is strict, and what the programs export stands up to it. */

const counter = '# HELP cutline_x_total Xs\n# TYPE cutline_x_total counter\n';

test('what the programs export is read, with every metric in it', async () => {
  const { registry } = new Metrics({ processMetrics: true });
  const families = parseExposition(await registry.metrics());
  expect(families.map(({ name }) => name)).toEqual(
    registry.getMetricsAsArray().map(({ name }) => name),
  );
});

test('labels and values are read as they are meant', () => {
  const [family] = parseExposition(`${counter}cutline_x_total{a="b \\"c\\"",d=""} 1.5e3\n`);
  expect(family?.samples).toEqual([
    { name: 'cutline_x_total', labels: { a: 'b \\"c\\"', d: '' }, value: 1500 },
  ]);
});

test.each([
  ['a series twice', `${counter}cutline_x_total 1\ncutline_x_total 2\n`],
  ['a label twice', `${counter}cutline_x_total{a="b",a="c"} 1\n`],
  ['not labels', `${counter}cutline_x_total{a=b} 1\n`],
  ['not a sample', `${counter}cutline_x_total one\n`],
  ['of no family', `${counter}cutline_y_total 1\n`],
  ['of no family', 'cutline_x_total 1\n'],
  ['type without help', '# TYPE cutline_x_total counter\n'],
  ['declared twice', `${counter}${counter}`],
  ['the last line', counter.trimEnd()],
  ['_total is for counters', counter.replaceAll('counter', 'gauge')],
  ['_total is for counters', counter.replaceAll('_total', '')],
  ['base unit', '# HELP cutline_x_ms Xs\n# TYPE cutline_x_ms gauge\n'],
  ['a counter below 0', `${counter}cutline_x_total -1\n`],
  [
    'bounds',
    '# HELP cutline_x_seconds Xs\n# TYPE cutline_x_seconds histogram\ncutline_x_seconds_bucket{le="1"} 1\n',
  ],
])('refuses: %s', (what, text) => {
  expect(() => parseExposition(text)).toThrow(what);
});
