import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ModelServer, type Reply, startModelServer } from './support/model-server.ts';
import { type Pipeline, startPipeline } from './support/pipeline.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImage } from './support/sample-images.ts';

/**
 * A model behind a server, as a user goes its way: added, captioning in one process and in two,
 * through a server that throttles, fails, hangs, refuses and cuts off; every image accounted for,
 * every token too, and the key nowhere.
 */

const apiKey = 'sk-hush-0123456789abcdef';
const images = 500;

let home: string;
let server: ModelServer;
let pipeline: Pipeline;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cutline-home-'));
  server = await startModelServer({ apiKey, reply: (_, prompt) => replyTo(prompt) });
  pipeline = await startPipeline({
    env: {
      XDG_CACHE_HOME: home,
      CUTLINE_MODEL: 'stub-vl',
      STUB_KEY: apiKey,
      // What answers late is asked again, and billed twice: not on a busy machine, either.
      CUTLINE_SERVER_TIMEOUT_MS: '3000',
      CUTLINE_RETRY_BASE_MS: '20',
      CUTLINE_REMAINDER_DELAY_MS: '200',
    },
  });
  await writeFile(join(home, 'prompt.txt'), 'What is in {key}, called {title}?\n');
});
afterAll(async () => {
  await pipeline?.stop();
  await server?.close();
  await rm(home, { recursive: true, force: true });
});

/** Of each hundred images, by the last two digits of their number. */
const fates = {
  throttled: (n: number) => n % 100 < 10,
  failing: (n: number) => n % 100 >= 10 && n % 100 < 20,
  hanging: (n: number) => n % 100 >= 20 && n % 100 < 23,
  breaking: (n: number) => n % 100 >= 23 && n % 100 < 26,
  refused: (n: number) => n % 100 >= 30 && n % 100 < 35,
  cutOff: (n: number) => n % 100 >= 35 && n % 100 < 40,
};

const asked = new Map<number, number>();

function replyTo(prompt: string): Reply {
  const n = Number(/picture-(\d+)/.exec(prompt)?.[1] ?? Number.NaN);
  if (Number.isNaN(n)) return { content: 'A gradient.' };
  const times = (asked.get(n) ?? 0) + 1;
  asked.set(n, times);
  if (times === 1) {
    if (fates.throttled(n)) return { status: 429, headers: { 'retry-after-ms': '30' } };
    if (fates.failing(n)) return { status: 500, error: { message: `no luck with ${apiKey}` } };
    if (fates.hanging(n)) return 'hang';
    if (fates.breaking(n)) return 'reset';
  }
  const tokens = { promptTokens: 90 + (n % 7), completionTokens: 5 + (n % 5) };
  if (fates.refused(n)) return { content: "I'm sorry, but I cannot describe this.", ...tokens };
  if (fates.cutOff(n)) return { content: `Picture ${n} shows a`, finish: 'length', ...tokens };
  return { content: `Picture ${n}: ${prompt}`, logProbs: [-0.5, -0.25], ...tokens };
}

test('500 images of a server in trouble: each has its row, and each token is counted', async () => {
  const add = ['model', 'add', `openai:${server.url}`, '--prompt-file', join(home, 'prompt.txt')];
  const added = await pipeline.succeed(
    ...add,
    ...['--api-key-variable', 'STUB_KEY', '--price', '0.15,0.6', '--image-size', '64'],
  );
  expect(added.stdout).toContain('cutline caption <images> --model stub-vl');
  expect((await pipeline.succeed('model', 'list')).stdout.split('\n')).toContain('stub-vl');
  expect((await pipeline.succeed('model', 'verify', 'stub-vl')).stdout).toContain('stub-vl@');

  const picture = await sampleImage(1);
  const names = Array.from(
    { length: images },
    (_, n) => `picture-${String(n).padStart(3, '0')}.png`,
  );
  await pipeline.upload(names.map((name) => [name, picture] as const));
  const list = join(home, 'list.csv');
  const titles = names.map((name, n) => `${name},"Title, ${n}"`);
  await writeFile(list, `key,title\n${titles.join('\n')}\n`);
  const select = ['s3://archive', '--keys-from', list];

  const plan = await pipeline.succeed('run', ...select, '--dry-run');
  expect(plan.stdout).toMatch(/If each takes what a made-up image did: 50,000 tokens asked/);

  const before = { ...server.billed };
  const workers = [
    await pipeline.startWorker('encoder-worker'),
    await pipeline.startWorker('decoder-worker'),
  ];
  // A process: in this one is the server, which is given no time to be late.
  const run = await pipeline.cutline(
    ...['run', ...select, '--run', 'served', '--batch-size', '50'],
  );
  expect(run.code, run.stderr).toBe(0);
  const results = await pipeline.results('served');
  expectToReconcile(results);
  const { rows, summary } = results;

  for (const row of rows) {
    const n = Number(/\d+/.exec(row.key)?.[0]);
    if (fates.refused(n)) {
      expect(row, row.key).toMatchObject({ status: 'failed', failure: { class: 'refused' } });
    } else if (fates.cutOff(n)) {
      expect(row, row.key).toMatchObject({
        ...{ status: 'captioned', caption: `Picture ${n} shows a`, score: null },
        warnings: ['cut off at the limit of its tokens'],
      });
    } else {
      expect(row, row.key).toMatchObject({
        caption: `Picture ${n}: What is in ${row.key}, called Title, ${n}?`,
        score: -0.375,
      });
    }
  }
  expect(rows).toHaveLength(images);
  expect(summary).toMatchObject({ captioned: 475, failed: 25, failedByClass: { refused: 25 } });

  const billed = {
    answers: server.billed.answers - before.answers,
    promptTokens: server.billed.promptTokens - before.promptTokens,
    completionTokens: server.billed.completionTokens - before.completionTokens,
  };
  expect(billed.answers).toBe(images);
  const costUsd = (billed.promptTokens * 0.15 + billed.completionTokens * 0.6) / 1e6;
  expect(summary?.usage).toMatchObject(billed);
  expect(summary?.usage?.costUsd).toBeCloseTo(costUsd, 9);
  expect(run.stdout).toMatch(/used {7}[\d,]+ tokens asked, [\d,]+ answered, \$0\.0/);
  expect((await pipeline.succeed('verify', 'served')).stdout).toMatch(/500 images/);

  const metrics = await workers[0]!.scrape();
  const requests = (outcome: string) =>
    metrics.value(`cutline_server_requests_total{outcome="${outcome}"}`);
  expect(requests('answered')).toBe(images);
  expect(requests('throttled')).toBe(50);
  expect(requests('unavailable')).toBe(80);
  expect(metrics.value('cutline_server_tokens_total{kind="prompt"}')).toBe(billed.promptTokens);
  expect(metrics.value('cutline_server_cost_dollars_total')).toBeCloseTo(costUsd, 9);

  // The key is in no output, log, row, file or metric, though the server likes to say it.
  const objects: string[] = [];
  for await (const { key } of pipeline.output.list()) {
    objects.push((await pipeline.output.get(key)).bytes.toString());
  }
  const bundle = await readFile(join(home, 'cutline/models/stub-vl/model.json'), 'utf8');
  const logs = workers.flatMap(({ stdout, stderr }) => [...stdout, ...stderr]);
  const said = [added, plan, run].map(({ stdout, stderr }) => stdout + stderr);
  const all = [...objects, bundle, ...logs, ...said].join('\n');
  expect(all).toContain('picture-499.png');
  expect(all).not.toContain(apiKey);
});

test('one process says what two do; a wrong key and a server that is gone are one line', async () => {
  const select = ['s3://archive', '--keys-from', join(home, 'list.csv'), '--limit', '60'];
  const alone = await pipeline.cutline('caption', ...select, '--json');
  expect(alone.code).toBe(1); // some are refused
  const inOne = alone.stdout
    .trim()
    .split('\n')
    .map((line: string) => JSON.parse(line));
  const { rows } = await pipeline.results('served');
  const said = ({ key, status, caption, score }: Record<string, unknown>) => [
    key,
    status,
    caption,
    score,
  ];
  expect(inOne.map(said)).toEqual(rows.slice(0, 60).map((row) => said({ ...row })));

  const fail = async (env: Record<string, string>, ...flags: string[]) => {
    const program = await pipeline.startCutline(['caption', ...select, ...flags], env);
    expect((await program.exited).code).toBe(2);
    return program.stderr.join('\n');
  };
  expect(await fail({ STUB_KEY: 'sk-another-key' })).toMatch(
    /^cutline: The model stub-vl: the server answers 401: [^\n]*\*\*\*[^\n]*the key in STUB_KEY\.$/,
  );
  expect(await fail({ STUB_KEY: '' })).toMatch(/set the environment variable STUB_KEY\.$/);
  expect(await fail({ CUTLINE_SERVER_URL: 'http://127.0.0.1:9/v1' })).toMatch(
    /^cutline: The model stub-vl is behind http:\/\/127\.0\.0\.1:9\/v1, and the server cannot be reached/,
  );
  expect(await fail({}, '--beam-size', '3')).toMatch(
    /^cutline: --beam-size: the model stub-vl is behind a server, which searches by its own rules/,
  );
});
