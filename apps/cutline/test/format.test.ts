import { expect, test } from 'vitest';
import {
  formatBytes,
  formatCounts,
  formatDollars,
  formatDuration,
  formatQuantity,
  formatRate,
  formatUsage,
} from '../dist/terminal/format.js';

test.each([
  [0, '0 s'],
  [0.2, '1 s'],
  [89, '89 s'],
  [90, '2 min'],
  [3600, '60 min'],
  [5400, '1 h 30 min'],
  [7_830, '2 h 11 min'],
  [200_000, '2 d 7 h'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

test.each([
  [0, '0 bytes'],
  [1023, '1023 bytes'],
  [1024, '1.0 KB'],
  [56_500, '55.2 KB'],
  [5 * 1024 ** 3, '5.0 GB'],
  [3 * 1024 ** 5, '3072.0 TB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('failures are named in the order of their list, whatever came first', () => {
  expect(formatCounts({ 'not-found': 1, corrupt: 1200, timeout: 0, empty: 2 })).toBe(
    'empty 2, corrupt 1,200, not-found 1',
  );
  expect(formatCounts({})).toBe('');
});

test('one is singular', () => {
  expect(formatQuantity(1, 'image')).toBe('1 image');
  expect(formatQuantity(0, 'image')).toBe('0 images');
  expect(formatQuantity(1200, 'batch', 'batches')).toBe('1,200 batches');
});

test('a rate of nothing is not shown', () => {
  expect(formatRate(12.34)).toBe('12.3 images/s');
  expect(formatRate(0.04)).toBe('');
});

test.each([
  [0, '$0'],
  [0.0000186, '$0.0000186'],
  [0.1234, '$0.123'],
  [0.5, '$0.5'],
  [12.345, '$12.35'],
  [98_765, '$98,765.00'],
])('%d dollars are %s', (dollars, text) => {
  expect(formatDollars(dollars)).toBe(text);
});

test('what a server took has a cost where there is a price', () => {
  const tokens = { promptTokens: 120_000, completionTokens: 980 };
  expect(formatUsage(tokens)).toBe('120,000 tokens asked, 980 answered');
  expect(formatUsage({ ...tokens, costUsd: 1.5 })).toBe(
    '120,000 tokens asked, 980 answered, $1.50',
  );
});
