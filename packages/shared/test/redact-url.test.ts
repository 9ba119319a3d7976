import { redactUrl } from '@cutline/shared/process';
import { expect, test } from 'vitest';

test.each([
  ['redis://h:1', 'redis://h:1'],
  ['redis://[::1]:6379/2', 'redis://[::1]:6379/2'],
  ['redis://h:1?family=6&db=2', 'redis://h:1?family=6&db=2'],
  ['http://127.0.0.1:9000/a//b', 'http://127.0.0.1:9000/a//b'],
  ['/photos//a b:c', '/photos//a b:c'],
  ['banana', 'banana'],
  ['redis://:pw@h:1', 'redis://***@h:1'],
  ['redis://secret@h:1', 'redis://***@h:1'],
  ['rediss://user:p%40w@h', 'rediss://***@h'],
  ['redis://user:p/w@x@h', 'redis://***@h'],
  ['http://user:pass@host:9000', 'http://***@host:9000'],
])('%s is shown as %s', (url, shown) => {
  expect(redactUrl(url)).toBe(shown);
});

test.each([
  'redis://h:1?password=SECRET',
  'redis://h:1/2?db=1&username=SECRET&password=SECRET',
  'redis://h:1?p%61ssword=SECRET',
  'redis://h:1?%zz=SECRET',
  'redis://h:1?Password=SEC;RET',
  'redis://h:1?password=SEC@RET',
  'redis://:SEC?password=RET@h',
  'redis://u:SECRET@h?password=SECRET',
  'redis://:SECRET', // no host
  'redis://user:SECRET/0',
  'redis://user:SEC#RET@h',
  'redis://user:SEC\nRET@h',
  'redis:/user:SECRET@h',
  'redis:user:SECRET@h',
  'user:SECRET@h:6379',
  '//user:SECRET@h',
  'http://user:SECRET@[::1',
  'https://archive/?X-Amz-Signature=SECRET&X-Amz-Credential=SECRET&X-Amz-Security-Token=SECRET',
])('nothing secret is shown of %j', (url) => {
  expect(redactUrl(url)).not.toMatch(/SEC|RET|\n/);
  expect(redactUrl(url)).toContain('***');
});
