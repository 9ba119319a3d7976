import { parseRedisUrl } from '@cutline/shared/process';
import { expect, test } from 'vitest';

const server = { kind: 'server', tls: false, db: 0, sentinelAuth: false };
const cluster = { ...server, kind: 'cluster' };
const sentinel = { ...server, kind: 'sentinel' };

test.each([
  ['redis://h', { ...server, nodes: [{ host: 'h', port: 6379 }] }],
  ['redis://h/', { ...server, nodes: [{ host: 'h', port: 6379 }] }],
  ['redis://h:1/3', { ...server, nodes: [{ host: 'h', port: 1 }], db: 3 }],
  ['rediss://[::1]:7', { ...server, tls: true, nodes: [{ host: '::1', port: 7 }] }],
  ['redis://:p%2Fw@h', { ...server, password: 'p/w', nodes: [{ host: 'h', port: 6379 }] }],
  [
    'redis://user:p:w@x@h',
    { ...server, username: 'user', password: 'p:w@x', nodes: [{ host: 'h', port: 6379 }] },
  ],
  [
    'rediss+cluster://:pw@a:7000,b',
    {
      ...cluster,
      tls: true,
      password: 'pw',
      nodes: [
        { host: 'a', port: 7000 },
        { host: 'b', port: 6379 },
      ],
    },
  ],
  [
    'redis+sentinel://u:p@a,[::1]:7/my%20master/2?sentinel-auth=true',
    {
      ...sentinel,
      username: 'u',
      password: 'p',
      nodes: [
        { host: 'a', port: 26379 },
        { host: '::1', port: 7 },
      ],
      masterName: 'my master',
      db: 2,
      sentinelAuth: true,
    },
  ],
])('%s', (url, address) => {
  expect(parseRedisUrl(url)).toEqual(address);
});

test.each([
  ['redis://', /^expected redis:\/\/host:port, redis\+cluster:/],
  ['redis://h:p', /^expected redis:\/\/host:port/],
  ['redis://h:65536', /^expected redis:\/\/host:port/],
  ['redis+cluster://a,,b', /^expected redis:\/\/host:port/],
  ['valkey://h', /^expected redis:\/\/host:port/],
  ['redis://user:p#w@h', /^expected redis:\/\/host:port/],
  ['unix:///tmp/redis.sock', /sockets of Unix are not supported$/],
  ['/tmp/redis.sock', /sockets of Unix are not supported$/],
  ['redis://a:1,b:2', /^expected one host after redis:/],
  ['redis+cluster://a:1/3', /a cluster has no numbered databases$/],
  ['redis+sentinel://a:1', /^expected the name of the master at the end/],
  ['redis+sentinel://a:1/main/x', /^expected the number of a database/],
  ['redis://h/x', /^expected the number of a database/],
  ['redis://h?family=6', /^expected no parameters/],
  ['redis://h?sentinel-auth=true', /^expected no parameters/],
  ['redis://:50%@h', /^expected user, password and name percent-encoded/],
])('%s is refused', (url, message) => {
  expect(() => parseRedisUrl(url)).toThrow(message);
});
