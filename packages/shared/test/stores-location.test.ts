import { sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { openStore, parseLocation, parseObjectLocation } from '@cutline/shared/stores';
import { afterEach, describe, expect, test, vi } from 'vitest';

const here = pathToFileURL(process.cwd()).href;

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('parseLocation', () => {
  test.each([
    ['s3://archive', 's3://archive', ''],
    ['s3://archive/', 's3://archive', ''],
    ['s3://archive/photos/2024', 's3://archive', 'photos/2024'],
    ['s3://archive/photos/', 's3://archive', 'photos/'],
    ['s3://archive//lead', 's3://archive', '/lead'],
    ['S3://old.Bucket_name/a b+c%20?#d', 's3://old.Bucket_name', 'a b+c%20?#d'],
    ['s3://archive/line\nbreak', 's3://archive', 'line\nbreak'],
    ['./photos', `${here}/photos`, ''],
    ['photos/', `${here}/photos`, ''],
    ['.', here, ''],
    ['./100% #1?', `${here}/100%25%20%231%3F`, ''],
    ['/data/photos', 'file:///data/photos', ''],
    ['/', 'file:///', ''],
    ['file:///data/a%20b/', 'file:///data/a%20b', ''],
    ['file:///data/M%C3%BCnchen', 'file:///data/M%C3%BCnchen', ''],
    ['FILE:///data/../x', 'file:///x', ''],
    ['C:photos', `${here}/C:photos`, ''],
  ])('%j is %j and %j', (text, store, prefix) => {
    expect(parseLocation(text)).toEqual({ store, prefix });
  });

  test.each([
    '',
    's3:',
    's3://',
    's3:///photos',
    's3:archive',
    's3://a b/photos',
    's3://-archive',
    'https://archive.s3.amazonaws.com/photos',
    'gs://archive',
    'file:photos',
    'file://photos',
    'file://host/photos',
    'file:///a%2Fb',
    'file:///a%00b',
    'file:///a%ff',
    'a\0b',
  ])('refuses %j and says what a location looks like', (text) => {
    expect(() => parseLocation(text)).toThrow(
      expect.objectContaining({
        name: 'UserError',
        message: expect.stringMatching(/^".*expected s3:\/\/bucket, .*\.\/photos.*file:\/\/\//),
      }),
    );
  });

  test.each(['https://user:SECRET@host/photos', 's3://KEY:SECRET@archive', 'ftp://SECRET@h/a'])(
    'refuses %j without showing what is secret in it',
    (text) => {
      expect(() => parseLocation(text)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining('SECRET') }),
      );
    },
  );

  test.each(['file:///a?b', 'file:///a#b'])('says how to write %j', (text) => {
    expect(() => parseLocation(text)).toThrow('write "?" as %3F and "#" as %23');
  });
});

describe('parseObjectLocation', () => {
  test.each([
    ['s3://archive/lists/keys.csv', 's3://archive', 'lists/keys.csv'],
    ['keys.csv', here, 'keys.csv'],
    [`..${sep}lists/my keys.csv`, pathToFileURL('../lists').href, 'my keys.csv'],
    ['file:///data/my%20keys.csv', 'file:///data', 'my keys.csv'],
    ['/keys.csv', 'file:///', 'keys.csv'],
  ])('%j is %j and %j', (text, store, key) => {
    expect(parseObjectLocation(text)).toEqual({ store, key });
  });

  test.each(['s3://archive', 's3://archive/', 's3://archive/lists/', '/'])(
    'refuses %j, which names no object',
    (text) => {
      expect(() => parseObjectLocation(text)).toThrow(
        expect.objectContaining({ name: 'UserError', message: expect.stringContaining(text) }),
      );
    },
  );
});

describe('openStore', () => {
  test('takes whole stores only', async () => {
    await expect(openStore('s3://archive/photos')).rejects.toMatchObject({
      name: 'UserError',
      message:
        '"s3://archive/photos" is not a whole store: expected "s3://archive", without a prefix.',
    });
  });

  test.each([
    [{ endpoint: 'localhost:9000' }, 'endpoint'],
    [{ endpoint: 'ftp://localhost' }, 'endpoint'],
    [{ endpoint: 'http://[::1' }, 'endpoint'],
    [{ requestTimeoutMs: 0 }, 'requestTimeoutMs'],
    [{ bucket: 'x' }, 'bucket'],
  ])('refuses the configuration %j in one line', async (config, named) => {
    await expect(openStore('s3://archive', config as object)).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringMatching(new RegExp(`^.*${named}.*$`)),
    });
  });

  test('refuses an endpoint of the environment that is no URL', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_S3', 'localhost:9000');
    await expect(openStore('s3://archive')).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringContaining('AWS_ENDPOINT_URL_S3'),
    });
  });

  test.each([
    'http://user:pa55@127.0.0.1:1',
    'http://pa55@127.0.0.1:1',
    'http://127.0.0.1:1?password=pa55',
    'http://127.0.0.1:1/pa55@w0rd',
    'http://user:pa55@127.0.0.1:port',
    'user:pa55@127.0.0.1:1',
  ])('refuses the endpoint %s and does not show it', async (endpoint) => {
    for (const [config, variable] of [
      [{ endpoint }, undefined],
      [{}, endpoint],
    ] as const) {
      vi.stubEnv('AWS_ENDPOINT_URL_S3', variable);
      const error = await openStore('s3://archive', config).catch((thrown: Error) => thrown);
      expect(error).toMatchObject({
        name: 'UserError',
        message: expect.stringMatching(/endpoint \(AWS_ENDPOINT_URL_S3\): expected http:[^\n]+$/),
      });
      expect(inspect(error, { depth: 9 })).not.toMatch(/pa55|w0rd/);
    }
  });
});
