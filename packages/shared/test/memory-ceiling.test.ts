import { UserError } from '@cutline/shared/errors';
import { MemoryCeiling, type MemoryExcess } from '@cutline/shared/process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

let residentBytes = 0;
let excesses: MemoryExcess[] = [];
let ceiling: MemoryCeiling;

beforeEach(() => {
  vi.useFakeTimers();
  excesses = [];
  ceiling = new MemoryCeiling({
    memoryBytesMax: 200,
    onExcess: (excess) => excesses.push(excess),
    residentBytes: () => residentBytes,
  });
});
afterEach(() => {
  ceiling.stop();
  vi.useRealTimers();
});

test('below and at the ceiling nothing happens', () => {
  residentBytes = 199;
  ceiling.start();
  residentBytes = 200;
  ceiling.look();
  vi.advanceTimersByTime(60_000);
  expect(excesses).toEqual([]);
});

test('above it is told of once, whether somebody looks or not', () => {
  residentBytes = 100;
  ceiling.start();
  residentBytes = 201;
  expect(excesses).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(excesses).toEqual([{ residentBytes: 201, memoryBytesMax: 200 }]);
  ceiling.look();
  vi.advanceTimersByTime(60_000);
  expect(excesses).toHaveLength(1);
});

test('a look finds it at once', () => {
  residentBytes = 100;
  ceiling.start();
  residentBytes = 300;
  ceiling.look();
  expect(excesses).toEqual([{ residentBytes: 300, memoryBytesMax: 200 }]);
});

test('after it was stopped, and before it was started, nothing is looked at', () => {
  residentBytes = 300;
  ceiling.look();
  residentBytes = 100;
  ceiling.start();
  ceiling.stop();
  residentBytes = 300;
  ceiling.look();
  vi.advanceTimersByTime(60_000);
  expect(excesses).toEqual([]);
});

test('a ceiling that is exceeded from the start is for a person to raise', () => {
  residentBytes = 201;
  const start = () => ceiling.start();
  expect(start).toThrow(UserError);
  expect(start).toThrow(
    'With its model loaded this worker takes 201 bytes of memory, and --memory-bytes-max (or ' +
      'CUTLINE_MEMORY_BYTES_MAX) is 200: raise it well above that, or leave it out.',
  );
  vi.advanceTimersByTime(60_000);
  expect(excesses).toEqual([]);
});
