import {
  describeError,
  ImageError,
  isForUser,
  isTransient,
  UserError,
} from '@cutline/shared/errors';
import { StoreError } from '@cutline/shared/stores';
import { describe, expect, test } from 'vitest';

const withCode = (code: string) => Object.assign(new Error('no'), { code });
const named = (name: string, message = 'no') => Object.assign(new Error(message), { name });

test.each([
  ['a store that is unavailable', new StoreError('unavailable', 'down')],
  ['a connection that was refused', withCode('ECONNREFUSED')],
  ['a connection that was reset', withCode('ECONNRESET')],
  ['a name that cannot be looked up now', withCode('EAI_AGAIN')],
  ['Redis out of memory', named('ReplyError', 'OOM command not allowed')],
  ['Redis that is gone', new Error('Connection is closed.')],
])('%s may heal by itself', (_, error) => {
  expect(isTransient(error)).toBe(true);
  expect(isForUser(error)).toBe(false);
});

test.each([
  ['what was declared so', new UserError('choose')],
  ['a store that is configured wrongly', new StoreError('misconfigured', 'no bucket')],
])('%s is for a person to put right', (_, error) => {
  expect(isForUser(error)).toBe(true);
  expect(isTransient(error)).toBe(false);
});

test.each([
  ['a failure of one image', new ImageError('corrupt', 'cut off')],
  ['an object that is gone', new StoreError('not-found', 'gone')],
  ['a bug', new TypeError('undefined is not a function')],
  ['a file that is not there', withCode('ENOENT')],
  ['what is no error', 'text'],
])('%s is neither', (_, error) => {
  expect(isTransient(error)).toBe(false);
  expect(isForUser(error)).toBe(false);
});

describe('a description', () => {
  test('is the message with its causes, once each, on one line', () => {
    const root = new Error('connect ECONNREFUSED\n  127.0.0.1:1');
    const middle = new Error('fetch failed', { cause: root });
    const top = new Error('Cannot load: fetch failed', { cause: middle });
    expect(describeError(top)).toBe('Cannot load: fetch failed: connect ECONNREFUSED 127.0.0.1:1');
  });

  test('ends with what is said to the user, whose message is whole', () => {
    const told = new UserError('There is no file.', { cause: new Error('ENOENT') });
    expect(describeError(told)).toBe('There is no file.');
    expect(describeError(new Error('Cannot start', { cause: told }))).toBe(
      'Cannot start: There is no file.',
    );
    const store = new StoreError('unavailable', 'S3 is down.', { cause: new Error('502') });
    expect(describeError(store)).toBe('S3 is down.');
  });

  test('is something for whatever was thrown', () => {
    expect(describeError('text')).toBe('text');
    expect(describeError(new RangeError())).toBe('RangeError');
    expect(describeError(new Error('a', { cause: 7 }))).toBe('a: 7');
  });
});
