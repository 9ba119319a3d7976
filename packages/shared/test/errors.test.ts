import {
  describeError,
  ImageError,
  isForUser,
  isTransient,
  redisReplyCode,
  UserError,
} from '@cutline/shared/errors';
import { StoreError } from '@cutline/shared/stores';
import { describe, expect, test } from 'vitest';

const withCode = (code: string) => Object.assign(new Error('no'), { code });
const named = (name: string, message = 'no') => Object.assign(new Error(message), { name });
const reply = (message: string, more = {}) =>
  Object.assign(new Error(message), { name: 'ReplyError', ...more });
const noPermission = "NOPERM this user has no permissions to run the 'info' command";

test.each([
  ['a store that is unavailable', new StoreError('unavailable', 'down')],
  ['a connection that was refused', withCode('ECONNREFUSED')],
  ['a connection that was reset', withCode('ECONNRESET')],
  ['a name that cannot be looked up now', withCode('EAI_AGAIN')],
  ['Redis out of memory', reply("OOM command not allowed when used memory > 'maxmemory'.")],
  [
    'Redis out of memory in a script',
    reply('OOM command not allowed. script: 1f, on @user_script:1.'),
  ],
  [
    'the same of Redis 6',
    reply(
      'ERR Error running script (call to f_1f): @user_script:1: @user_script: 1: -OOM command not ' +
        "allowed when used memory > 'maxmemory'.",
    ),
  ],
  ['Redis that loads its data', reply('LOADING Redis is loading the dataset in memory')],
  ['Redis that became a replica', reply("READONLY You can't write against a read only replica.")],
  ['a blocking command that was ended', reply('UNBLOCKED force unblock from blocking operation')],
  ['a replica without its master', reply('MASTERDOWN Link with MASTER is down')],
  ['a master without its replicas', reply('NOREPLICAS Not enough good replicas to write.')],
  ['a script that runs for long', reply('BUSY Redis is busy running a script.')],
  ['a disk that is full', reply('MISCONF Redis is configured to save RDB snapshots')],
  ['a cluster without a master', reply('CLUSTERDOWN The cluster is down')],
  ['a slot on its way', reply('TRYAGAIN Multiple keys request during rehashing of slot')],
  ['a script that was forgotten', reply('NOSCRIPT No matching script.')],
  ['too many connections', reply('ERR max number of clients reached')],
  [
    'a transaction that failed over',
    reply('EXECABORT Transaction discarded because of previous errors.', {
      previousErrors: [reply("READONLY You can't write against a read only replica.")],
    }),
  ],
  ['a cluster of which no node answers', named('ClusterAllFailedError')],
  [
    'a cluster that changes for long',
    new Error('Too many Cluster redirections. Last error: Error: Connection is closed.'),
  ],
  ['Redis that is gone', new Error('Connection is closed.')],
])('%s may heal by itself', (_, error) => {
  expect(isTransient(error)).toBe(true);
  expect(isForUser(error)).toBe(false);
});

test.each([
  ['what was declared so', new UserError('choose')],
  ['a store that is configured wrongly', new StoreError('misconfigured', 'no bucket')],
  ['an object of a run that may not be read', new StoreError('access-denied', 'denied')],
  ['what Redis does not let this user do', reply(noPermission)],
  [
    'a password that is wrong',
    reply('WRONGPASS invalid username-password pair or user is disabled.'),
  ],
  ['a password that is missing', reply('NOAUTH Authentication required.')],
  ['a key of another kind', reply('WRONGTYPE Operation against a key holding the wrong kind')],
  ['a command that Redis does not know', reply("ERR unknown command 'BZPOPMIN'")],
  ['a wrong number of arguments', reply("ERR wrong number of arguments for 'get' command")],
  ['a cluster that was taken for a server', reply('MOVED 866 127.0.0.1:7001')],
  ['keys that are not on one node', reply("CROSSSLOT Keys in request don't hash to the same slot")],
  ['a reply like no other', reply('odd')],
  [
    'a transaction with what is not allowed',
    reply('EXECABORT Transaction discarded because of previous errors.', {
      previousErrors: [reply(noPermission)],
    }),
  ],
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

test('the code of a reply is its first word, and of an error that is no reply there is none', () => {
  expect(redisReplyCode(reply('BUSYGROUP Consumer Group name already exists'))).toBe('BUSYGROUP');
  expect(redisReplyCode(new Error('READONLY'))).toBeUndefined();
});

describe('a description', () => {
  test('says to which command Redis gave an error, and not with which arguments', () => {
    const error = reply(noPermission, { command: { name: 'info', args: ['secret'] } });
    expect(describeError(error)).toBe(`Redis answers info with "${noPermission}"`);
    expect(describeError(reply('ERR odd'))).toBe('ERR odd');
  });

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
