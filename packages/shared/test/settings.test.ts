import {
  addSettings,
  createCommand,
  readSettings,
  refuseUnknownVariables,
  type SettingName,
  settings,
  storeConfig,
} from '@cutline/shared/process';
import { describe, expect, test } from 'vitest';

const names = Object.keys(settings) as SettingName[];

/** What a program with one setting makes of a command line and an environment. */
function read(name: SettingName, args: string[], environment: NodeJS.ProcessEnv = {}) {
  const command = addSettings(createCommand('program', 'A program.'), [name]);
  command.parse(args, { from: 'user' });
  return readSettings(command.opts(), [name], environment)[name];
}

const whole = { wrong: ['-1', '1.5', '1e3', '0x10', ' 5', 'many'] };
const positive = { ...whole, wrong: [...whole.wrong, '0'] };
const redis = {
  right: [
    ['redis://h:1', 'redis://h:1'],
    ['rediss://:pw@h', 'rediss://:pw@h'],
    ['redis+cluster://a:1,b:2', 'redis+cluster://a:1,b:2'],
    ['rediss+sentinel://a,b/main', 'rediss+sentinel://a,b/main'],
  ],
  wrong: ['h:1', 'http://h', 'redis', '//h', '/tmp/redis.sock', 'redis://h:0'],
  expected: 'expected redis://host:port, ',
};

/** For every setting: what it is by default, what it may be and become, and what it may not. */
const cases: Record<
  SettingName,
  { initial: unknown; right: unknown[][]; wrong: string[]; expected?: string }
> = {
  redis: { initial: 'redis://127.0.0.1:6379', ...redis },
  features: {
    initial: 'redis',
    right: [
      ...redis.right,
      ['redis', 'redis'],
      ['s3://bucket', 's3://bucket/'],
      ['s3://bucket/a/b', 's3://bucket/a/b/'],
      ['/mnt/features', 'file:///mnt/features/'],
      ['file:///mnt/features', 'file:///mnt/features/'],
    ],
    // A host that was misspelt is no folder.
    wrong: ['h:1', 'http://h/', 'Redis', 's3://', 'redis://h:0', 'rediss:/h'],
    expected: 'expected redis://host:port, ',
  },
  model: { initial: undefined, right: [['models/a b', 'models/a b']], wrong: [] },
  backend: {
    initial: 'auto',
    right: [['wasm', 'wasm']],
    wrong: ['gpu', 'WASM'],
    expected: 'expected auto, ',
  },
  device: {
    initial: 'auto',
    right: [['gpu', 'gpu']],
    wrong: ['cuda', 'GPU'],
    expected: 'expected auto, cpu or gpu',
  },
  threads: {
    initial: expect.any(Number),
    right: [['3', 3]],
    wrong: [...positive.wrong, '257'],
    expected: 'expected a whole number from 1 to 256',
  },
  deviceBatch: {
    initial: undefined,
    right: [
      ['auto', 'auto'],
      ['1', 1],
      ['1024', 1024],
    ],
    wrong: [...positive.wrong, '1025', 'AUTO'],
    expected: 'expected auto or a whole number from 1 to 1024',
  },
  serverUrl: {
    initial: undefined,
    right: [['http://127.0.0.1:8000/v1', 'http://127.0.0.1:8000/v1']],
    wrong: ['127.0.0.1:8000', 'ftp://h/v1'],
    expected: 'expected http://… or https://…',
  },
  serverConcurrency: {
    initial: 16,
    right: [
      ['1', 1],
      ['1024', 1024],
    ],
    wrong: [...positive.wrong, '1025'],
    expected: 'expected a whole number from 1 to 1024',
  },
  serverTimeoutMs: {
    initial: 120_000,
    right: [['300000', 300_000]],
    wrong: ['99', '300001'],
    expected: 'expected a whole number from 100 to 300000',
  },
  httpPort: {
    initial: 9464,
    right: [
      ['0', 0],
      ['65535', 65_535],
    ],
    wrong: ['-1', '65536', '80.5', 'http'],
    expected: 'expected a whole number from 0 to 65535',
  },
  httpHost: { initial: '0.0.0.0', right: [['::1', '::1']], wrong: [] },
  s3PathStyle: { initial: undefined, right: [], wrong: [] }, // has tests of its own
  jobConcurrency: { initial: undefined, right: [['1', 1]], wrong: [...positive.wrong, '65'] },
  jobLockMs: { initial: 30_000, right: [['1000', 1000]], wrong: [...positive.wrong, '999'] },
  memoryBytesMax: { initial: undefined, right: [['1', 1]], wrong: positive.wrong },
  exitWhenIdle: {
    initial: undefined,
    right: [['2147483', 2_147_483]],
    wrong: [...positive.wrong, '2147484'],
  },
  shutdownMs: { initial: 25_000, right: [['1', 1]], wrong: positive.wrong },
  fetchConcurrency: { initial: 16, right: [['512', 512]], wrong: [...positive.wrong, '513'] },
  fetchAttempts: { initial: 4, right: [['1', 1]], wrong: [...positive.wrong, '21'] },
  retryBaseMs: { initial: 250, right: [['1', 1]], wrong: positive.wrong },
  remainderDelayMs: { initial: 30_000, right: [['1', 1]], wrong: positive.wrong },
  imageBytesMax: { initial: 104_857_600, right: [['1', 1]], wrong: positive.wrong },
  imagePixelsMax: { initial: 200_000_000, right: [['1', 1]], wrong: positive.wrong },
  decodeTimeoutMs: {
    initial: 30_000,
    // A longer timer of Node.js goes off at once.
    right: [['2147483647', 2_147_483_647]],
    wrong: [...positive.wrong, '999', '2147483648'],
    expected: 'expected a whole number from 1000 to 2147483647',
  },
  featureBytesMax: {
    initial: 1_073_741_824,
    right: [['9007199254740991', Number.MAX_SAFE_INTEGER]],
    wrong: [...positive.wrong, '9007199254740992'],
    expected: 'expected a whole number of at least 1',
  },
  featureTtlMs: { initial: 21_600_000, right: [['1', 1]], wrong: positive.wrong },
  logLevel: {
    initial: 'info',
    right: [['silent', 'silent']],
    wrong: ['verbose'],
    expected: 'expected trace, debug, info, warn, error or silent',
  },
};

describe('every setting', () => {
  const all = names.map((name) => {
    const { flags, env } = settings[name];
    const [flag = ''] = flags.split(' ');
    return { name, flags, flag, env, ...cases[name] };
  });

  test('has its default, also where the variable is empty', () => {
    for (const { name, env, initial } of all) {
      expect(read(name, []), name).toEqual(initial);
      expect(read(name, [], { [env]: '' }), name).toEqual(initial);
    }
  });

  test('is read from its flag, from its variable, and from the flag first', () => {
    for (const { name, flag, env, right } of all) {
      for (const [text, value] of right as [string, unknown][]) {
        expect(read(name, [flag, text]), name).toBe(value);
        expect(read(name, [], { [env]: text }), name).toBe(value);
        expect(read(name, [flag, text], { [env]: 'nonsense' }), name).toBe(value);
      }
    }
  });

  test('is refused in one line that names both and says what is expected', () => {
    for (const { name, flag, env, wrong, expected = 'expected ' } of all) {
      const message = new RegExp(`^${flag} \\(or ${env}\\) is ".*": ${expected}.*\\.$`);
      for (const text of wrong) {
        expect(() => read(name, [`${flag}=${text}`]), `${name}: ${text}`).toThrow(message);
        expect(() => read(name, [], { [env]: text }), `${name}: ${text}`).toThrow(message);
      }
    }
  });

  test('is in the help, with its variable', () => {
    for (const { name, flags, env } of all) {
      const command = addSettings(createCommand('program', 'A program.'), [name]);
      const help = command.helpInformation().replaceAll(/\s+/g, ' ');
      expect(help).toContain(`${flags} `);
      expect(help).toContain(`env: ${env})`);
    }
  });
});

test.each([
  'redis://:SECRET',
  'redis://user:SEC/RET@h',
  'redis://user:SEC?RET@h',
  'redis://user:SEC#RET@h',
  'redis://user:SEC%RET@h',
  'redis://h:port?password=SECRET',
  'http://SECRET@h',
])('the URL %s is refused in one line, and its password not shown', (url) => {
  const error = (() => {
    try {
      return read('redis', [], { REDIS_URL: url });
    } catch (thrown) {
      return thrown as Error;
    }
  })() as Error;
  expect(error).toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(/^--redis \(or REDIS_URL\) is ".*\*\*\*.*": expected [^\n]+$/),
  });
  expect(error.message).not.toMatch(/SEC|RET/);
});

test('a password that is written as URLs need it is taken', () => {
  const url = 'redis://user:p%2Fw%40%25@h:1/2';
  expect(read('redis', ['--redis', url])).toBe(url);
});

describe('a flag without a value', () => {
  const variable = 'CUTLINE_S3_PATH_STYLE';

  test('is on where it is given', () => {
    expect(read('s3PathStyle', ['--s3-path-style'])).toBe(true);
    expect(read('s3PathStyle', ['--s3-path-style'], { [variable]: 'false' })).toBe(true);
  });

  test.each([
    ['true', true],
    ['1', true],
    ['yes', true],
    ['false', false],
    ['0', false],
  ])('is what its variable says: %s', (text, value) => {
    expect(read('s3PathStyle', [], { [variable]: text })).toBe(value);
  });

  test('is refused where its variable says neither', () => {
    expect(() => read('s3PathStyle', [], { [variable]: 'maybe' })).toThrow(
      '--s3-path-style (or CUTLINE_S3_PATH_STYLE) is "maybe": expected true or false.',
    );
  });

  test('is left to the store where nobody says anything', () => {
    expect(storeConfig({ s3PathStyle: undefined })).toEqual({});
    expect(storeConfig({ s3PathStyle: false })).toEqual({ pathStyle: false });
  });
});

test('no password is repeated in an error', () => {
  expect(() => read('redis', ['--redis', 'redis5://user:se/cr@et@host'])).toThrow(
    '--redis (or REDIS_URL) is "redis5://***@host": expected',
  );
});

test('no two settings have the same flag or variable', () => {
  for (const of of ['flags', 'env'] as const) {
    const all = names.map((name) => settings[name][of].split(' ')[0]);
    expect(new Set(all).size).toBe(all.length);
  }
});

describe('variables that begin with CUTLINE_', () => {
  test('are accepted where something reads them, and others are none of our business', () => {
    const known = Object.fromEntries(names.map((name) => [settings[name].env, 'x']));
    refuseUnknownVariables({
      ...known,
      CUTLINE_SOURCE: 'x',
      CUTLINE_OUTPUT: 'x',
      CUTLINE_RUN: 'x',
    });
    refuseUnknownVariables({ PATH: '/bin', CUTLINED: 'x', MY_CUTLINE_THREADS: '2' });
  });

  test.each([
    ['CUTLINE_THREAD', /CUTLINE_THREAD, .* did you mean CUTLINE_THREADS\?$/],
    ['CUTLINE_FETCH_CONCURENCY', /did you mean CUTLINE_FETCH_CONCURRENCY\?$/],
    ['CUTLINE_S3_PATHSTYLE', /did you mean CUTLINE_S3_PATH_STYLE\?$/],
    ['CUTLINE_', /unset it/],
    ['CUTLINE_COLOUR_OF_THE_SKY', /CUTLINE_COLOUR_OF_THE_SKY, which nothing reads: unset it/],
  ])('are refused otherwise: %s', (name, message) => {
    expect(() => refuseUnknownVariables({ [name]: '' })).toThrow(message);
  });
});
