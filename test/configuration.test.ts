import { createServer, type Server } from 'node:net';
import { connectRedis } from '@cutline/pipeline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Pipeline, startPipeline } from './support/pipeline.ts';
import { type RedisServer, startRedis } from './support/redis-server.ts';
import { type Case, createWorkplace, type Workplace } from './support/refusals.ts';
import { sampleImages } from './support/sample-images.ts';

/**
 * What is configured wrongly is told in one line that says what to do, with an exit status other
 * than 0, by whichever program meets it first; and nothing is written or enqueued by it. Models
 * have a file of their own (configuration-models.test.ts).
 */

let pipeline: Pipeline;
let workplace: Workplace;

beforeAll(async () => {
  pipeline = await startPipeline();
  await pipeline.upload(await sampleImages(4), 'few/');
  workplace = await createWorkplace(pipeline);
}, 120_000);

afterAll(async () => {
  await pipeline?.stop();
  await workplace?.remove();
});

const deadline = { timeout: 120_000 };
const toRun = ['s3://archive/few/', '--output', 's3://captions', '--run', 'refused'];
const refuse = (...[, program, args, env, message]: Case) =>
  workplace.expectRefusal(program, args, env, message);

describe.concurrent('flags and variables', deadline, () => {
  test.each<Case>([
    [
      'an unknown flag',
      'cutline',
      ['run', ...toRun, '--lmit', '3'],
      {},
      /unknown option '--lmit' \(did you mean --limit\?\): --help/,
    ],
    ['an unknown flag', 'producer', [...toRun, '--nonsense'], {}, /unknown option '--nonsense'/],
    [
      'an unknown flag',
      'encoder-worker',
      ['--thread', '3'],
      {},
      /'--thread' \(did you mean --threads\?\)/,
    ],
    [
      'an unknown flag',
      'decoder-worker',
      ['--nonsense'],
      {},
      /unknown option '--nonsense': --help/,
    ],
    [
      'an unknown command',
      'cutline',
      ['capton'],
      {},
      /unknown command 'capton' \(did you mean caption\?\)/,
    ],
    ['an argument too many', 'encoder-worker', ['s3://archive'], {}, /too many arguments/],
    ['no argument', 'cutline', ['caption'], {}, /missing required argument 'source'/],
    [
      'an unknown variable',
      'cutline',
      ['status', 'x'],
      { CUTLINE_OUPUT: 'x' },
      /sets CUTLINE_OUPUT, which nothing reads: did you mean CUTLINE_OUTPUT\?/,
    ],
    [
      'an unknown variable',
      'producer',
      toRun,
      { CUTLINE_REDIS: 'x' },
      /CUTLINE_REDIS, which nothing reads/,
    ],
    [
      'an unknown variable',
      'encoder-worker',
      [],
      { CUTLINE_IMAGE_SIZE: '3' },
      /CUTLINE_IMAGE_SIZE/,
    ],
    [
      'an unknown variable',
      'decoder-worker',
      [],
      { CUTLINE_THREAD: '3' },
      /mean CUTLINE_THREADS\?/,
    ],
    [
      'a number that is none',
      'cutline',
      ['caption', '.', '--limit', 'all'],
      {},
      /'--limit <n>' argument 'all' is invalid\. Expected a whole number of at least 1\.$/,
    ],
    [
      'a number out of range',
      'encoder-worker',
      [],
      { CUTLINE_THREADS: '0' },
      /--threads \(or CUTLINE_THREADS\) is "0": expected a whole number from 1 to 256\.$/,
    ],
    [
      'a word that is no choice',
      'decoder-worker',
      ['--backend', 'gpu'],
      {},
      /--backend \(or CUTLINE_BACKEND\) is "gpu": expected auto, /,
    ],
    [
      'a URL that is none',
      'producer',
      toRun,
      { REDIS_URL: 'localhost' },
      /--redis \(or REDIS_URL\) is "localhost": expected redis:\/\/host:port/,
    ],
    [
      'neither true nor false',
      'encoder-worker',
      [],
      { CUTLINE_S3_PATH_STYLE: 'maybe' },
      /is "maybe": expected true or false\.$/,
    ],
    [
      'flags that exclude each other',
      'cutline',
      ['run', ...toRun, '--limit', '1', '--sample', '1'],
      {},
      /Choose --limit .* or --sample .*, not both\.$/,
    ],
    [
      'more candidates than the beam holds',
      'producer',
      [...toRun, '--candidates', '9'],
      {},
      /--candidates 9 is more than the beam holds: give --beam-size 9, too/,
    ],
    [
      'an endpoint that is no URL',
      'cutline',
      ['caption', 's3://archive'],
      { AWS_ENDPOINT_URL_S3: 'storage' },
      /AWS_ENDPOINT_URL_S3\): expected http:\/\/host:port/,
    ],
  ])('%s: %s', refuse);
});

describe.concurrent('places', deadline, () => {
  const noSource = ['s3://nowhere/few/', '--output', 's3://captions', '--run', 'refused'];
  const nowhere = ['--output', 's3://nowhere'];
  const missing =
    /There is no bucket "nowhere" at the S3 server at http:.*: create it, or correct the location\.$/;
  const credentials = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
  const noCredentials =
    /no credentials for the bucket "\w+": set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE\.$/;

  test.each<Case>([
    ['no bucket to read', 'cutline', ['caption', 's3://nowhere/few/'], {}, missing],
    ['no bucket to read', 'cutline', ['run', ...noSource], {}, missing],
    ['no bucket to read', 'producer', noSource, {}, missing],
    ['no bucket to write', 'cutline', ['run', 's3://archive/few/', ...nowhere], {}, missing],
    ['no bucket to write', 'producer', ['s3://archive/few/', ...nowhere], {}, missing],
    ['no bucket of results', 'cutline', ['status', 'x', ...nowhere], {}, missing],
    ['no bucket of results', 'cutline', ['gallery', 'x', ...nowhere], {}, missing],
    [
      'no folder to read',
      'cutline',
      ['caption', './nowhere'],
      {},
      /There is no folder .*nowhere .*: create it, mount its disk, or correct/,
    ],
    [
      'no folder to read',
      'cutline',
      ['run', './nowhere', '--output', 's3://captions'],
      {},
      /There is no folder .*nowhere/,
    ],
    [
      'no folder to write into',
      'producer',
      ['s3://archive/few/', '--output', './no/where'],
      {},
      /There is no folder .*no\/where/,
    ],
    [
      'no folder for the results',
      'cutline',
      ['caption', '.', '-o', 'no/where.jsonl'],
      {},
      /There is no folder .*\/no to write into: create it, or choose another\.$/,
    ],
    [
      'no location',
      'cutline',
      ['run', 'ftp://archive', '--output', 's3://captions'],
      {},
      /"ftp:\/\/archive" is not a location: expected s3:\/\/bucket/,
    ],
    [
      'no output',
      'cutline',
      ['run', 's3://archive/few/'],
      {},
      /Say where results go: --output s3:\/\/bucket\/prefix or a folder/,
    ],
    [
      'no output',
      'cutline',
      ['results', 'x'],
      {},
      /Say where the results of the run are: --output .*CUTLINE_OUTPUT/,
    ],
    [
      'no source',
      'producer',
      ['--output', 's3://captions'],
      {},
      /Say where the images are: s3:\/\/bucket\/prefix or a folder\.$/,
    ],
    [
      'no list of keys',
      'cutline',
      ['run', ...toRun, '--keys-from', 'none.csv'],
      {},
      /list of keys none\.csv cannot be read: there is no such file\.$/,
    ],
    [
      'no list of keys',
      'cutline',
      ['caption', 's3://archive', '--keys-from', 'none.csv'],
      {},
      /list of keys none\.csv cannot be read: there is no such file\.$/,
    ],
    [
      'ETags that say nothing',
      'cutline',
      ['run', '/photos', ...toRun.slice(1), '--duplicates', 'etag'],
      {},
      /--duplicates etag is for images in S3: /,
    ],
    [
      'copies without features',
      'cutline',
      ['run', ...toRun, '--duplicates', 'etag', '--keep-features', 'output'],
      {},
      /--duplicates etag keeps no features of copies: leave --keep-features out\.$/,
    ],
    [
      'no server',
      'cutline',
      ['caption', 's3://archive'],
      { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' },
      /Cannot reach the S3 server at http:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\): is it running/,
    ],
    [
      'no server',
      'producer',
      toRun,
      { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' },
      /Cannot reach the S3 server at http:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\): is it running/,
    ],
    ['no credentials', 'cutline', ['caption', 's3://archive/few/'], credentials, noCredentials],
    ['no credentials', 'cutline', ['run', ...toRun], credentials, noCredentials],
    [
      'no credentials',
      'cutline',
      ['status', 'x', '--output', 's3://captions'],
      credentials,
      noCredentials,
    ],
    ['no credentials', 'producer', toRun, credentials, noCredentials],
  ])('%s: %s %j', refuse);
});

describe.concurrent('Redis', deadline, () => {
  let locked: RedisServer;
  let forgetful: RedisServer;
  let busy: Server;
  let port: string;

  beforeAll(async () => {
    forgetful = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    locked = await startRedis();
    const redis = await connectRedis(locked.url);
    await redis.config('SET', 'requirepass', 'secret');
    redis.disconnect();
    busy = createServer();
    await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
    port = String((busy.address() as { port: number }).port);
  });
  afterAll(async () => {
    await forgetful?.stop();
    await locked?.stop();
    busy?.close();
  });

  const programs: [Case[1], string[]][] = [
    ['cutline', ['run', ...toRun]],
    ['producer', toRun],
    ['encoder-worker', []],
    ['decoder-worker', []],
  ];
  // They connect in one way, which has tests of its own: that all do is seen once.
  const [command, ...services] = programs;

  test.each(programs)('that nobody listens at: %s', (program, args) =>
    workplace.expectRefusal(
      program,
      args,
      { REDIS_URL: 'redis://127.0.0.1:1' },
      /Cannot reach Redis at redis:\/\/127\.0\.0\.1:1 \(.*ECONNREFUSED.*\): start it .*, or correct --redis \(or REDIS_URL\)\.$/,
    ),
  );

  test.each([command!, services[1]!])('that refuses the password: %s', (program, args) =>
    workplace.expectRefusal(
      program,
      args,
      { REDIS_URL: `redis://:wrong@127.0.0.1:${locked.port}` },
      /Redis at redis:\/\/\*\*\*@127\.0\.0\.1:\d+ refuses the user or the password: correct them in --redis \(or REDIS_URL\)\.$/,
    ),
  );

  test.each([command!, services[2]!])(
    'that drops keys when memory runs short: %s',
    (program, args) =>
      workplace.expectRefusal(
        program,
        args,
        { REDIS_URL: forgetful.url },
        /has maxmemory-policy "allkeys-lru", under which it silently drops jobs .*: set it to noeviction/,
      ),
  );

  test.each(['CUTLINE_FEATURES', 'FEATURES_REDIS_URL'])(
    'for features, that nobody listens at: %s',
    (variable) =>
      workplace.expectRefusal(
        'encoder-worker',
        [],
        { [variable]: 'redis://127.0.0.1:1' },
        /or correct --features \(or CUTLINE_FEATURES, FEATURES_REDIS_URL\)\.$/,
      ),
  );

  test.each<[Case[1], string[]]>([
    ['producer', toRun],
    ['encoder-worker', []],
    ['decoder-worker', []],
  ])('is well, but the port for metrics is taken: %s', (program, args) =>
    workplace.expectRefusal(
      program,
      args,
      { CUTLINE_HTTP_PORT: port },
      /Port \d+ is in use by another process: choose another with --http-port \(or CUTLINE_HTTP_PORT\); 0 takes a free one\.$/,
    ),
  );
});

describe.concurrent('a run', deadline, () => {
  const elsewhere = ['--output', 's3://captions'];

  test.each<Case>([
    [
      'whose name cannot be one',
      'cutline',
      ['run', 's3://archive/few/', ...elsewhere, '--run', 'a b'],
      {},
      /--run "a b": a run name has 1 to 64 letters, digits, "-" or "_"/,
    ],
    [
      'that is not there',
      'cutline',
      ['resume', 'none', ...elsewhere],
      {},
      /There is no run "none" in s3:\/\/captions .*Check --output and the run's name/,
    ],
    ['that is not there', 'cutline', ['retry', 'none', ...elsewhere], {}, /There is no run "none"/],
    [
      'that is not there',
      'cutline',
      ['status', 'none', ...elsewhere],
      {},
      /There is no run "none"/,
    ],
    [
      'that is not there',
      'cutline',
      ['results', 'none', ...elsewhere],
      {},
      /There is no run "none"/,
    ],
    [
      'that is not there',
      'cutline',
      ['gallery', 'none', ...elsewhere],
      {},
      /There is no run "none"/,
    ],
    [
      'that is not there',
      'producer',
      ['--resume', '--run', 'none', ...elsewhere],
      {},
      /There is no run "none"/,
    ],
    [
      'that is not named',
      'producer',
      ['--resume', ...elsewhere],
      {},
      /Say which run to resume: --run <name>\.$/,
    ],
    [
      'of failures that are no class',
      'cutline',
      ['retry', 'none', ...elsewhere, '--class', 'sad'],
      {},
      /argument 'sad' is invalid\. Expected some of empty, unsupported, /,
    ],
  ])('%s: %s %j', refuse);
});

test('nothing was written or enqueued by all that was refused', async () => {
  const written: string[] = [];
  for await (const { key } of pipeline.output.list()) written.push(key);
  expect(written).toEqual([]);
  const redis = await connectRedis(pipeline.redis.url);
  expect(await redis.keys('*:wait')).toEqual([]);
  redis.disconnect();
});
