import {
  ChatServer,
  type EncodeLimits,
  everything,
  type ServedDescription,
  servedDecodeStage,
  servedEncodeStage,
  summariseServed,
} from '@cutline/inference';
import { UserError } from '@cutline/shared/errors';
import { Metrics } from '@cutline/shared/process';
import type { ImageRef } from '@cutline/shared/run';
import { MemoryStore } from '@cutline/shared/stores';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  imageOf,
  type ModelServer,
  type ModelServerOptions,
  promptOf,
  type Reply,
  startModelServer,
} from '../../../test/support/model-server.ts';

/** The stages of a model behind a server, over a store in memory and a server that has no model. */

const apiKey = 'sk-very-secret-0123456789';
const limits: EncodeLimits = {
  imageBytesMax: 1e6,
  imagePixelsMax: 1e7,
  decodeTimeoutMs: 10_000,
  fetchAttempts: 3,
  retryBaseMs: 1,
  fetchConcurrency: 4,
};

let store: MemoryStore;
let server: ModelServer;
let metrics: Metrics;

beforeEach(() => {
  store = new MemoryStore('s3://archive');
  metrics = new Metrics();
});
afterEach(() => server.close());

function describeServed(more: Partial<ServedDescription> = {}): ServedDescription {
  return {
    formatVersion: 4,
    kind: 'server',
    name: 'stub-vl',
    description: 'A stub.',
    server: { protocol: 'openai', url: server.url, model: 'stub-vl', apiKeyVariable: 'STUB_KEY' },
    image: { sideMax: 64, jpegQuality: 90 },
    prompt: 'What is in {key}?',
    answer: { format: 'text', tokensMax: 50 },
    request: everything,
    price: { prompt: 1, completion: 10 },
    measured: null,
    licence: 'none',
    ...more,
  };
}

/** Starts the server, and both stages of its model. */
async function start(
  reply: ModelServerOptions['reply'],
  {
    concurrency = 4,
    timeoutMs = 5_000,
    key = apiKey,
    ...more
  }: Partial<ServedDescription> & { concurrency?: number; timeoutMs?: number; key?: string } = {},
) {
  server = await startModelServer({ apiKey, reply });
  const model = summariseServed(describeServed(more));
  const asked = new ChatServer({ url: server.url, apiKey: key, timeoutMs });
  const encodeStage = servedEncodeStage(model, asked, { limits, metrics, concurrency });
  const decodeStage = servedDecodeStage(model);
  const caption = async (images: readonly ImageRef[]) => {
    const { outcomes, features } = await encodeStage.encode(images, store);
    const captions = features ? await decodeStage.decode(features, model.decoding) : [];
    return { outcomes, captions };
  };
  return { encodeStage, caption };
}

/** Puts pictures of a size into the store. */
async function put(keys: readonly string[], width = 40, height = 30): Promise<ImageRef[]> {
  const create = { width, height, channels: 3 as const, background: '#8ac' };
  const bytes = await sharp({ create }).png().toBuffer();
  return Promise.all(
    keys.map(async (key) => {
      const { etag } = await store.put(key, bytes);
      return { key, etag, bytes: bytes.length };
    }),
  );
}

const keys = ['a.png', 'b.png', 'c.png', 'd.png', 'e.png', 'f.png'];
const keyOf = (prompt: string) => /in (\S+)\?/.exec(prompt)?.[1] ?? '';
const total = async (name: keyof Metrics, labels: Record<string, string> = {}) => {
  // biome-ignore lint/suspicious/noExplicitAny: of all metrics, counters are asked for
  const { values } = await (metrics[name] as any).get();
  return values
    .filter(({ labels: each }: { labels: Record<string, string> }) =>
      Object.entries(labels).every(([label, value]) => each[label] === value),
    )
    .reduce((sum: number, { value }: { value: number }) => sum + value, 0);
};

describe('a question', () => {
  test('is the prompt of the image, and the image as the model is to see it', async () => {
    const { caption } = await start(() => ({ content: 'A lighthouse.', logProbs: [-0.5, -0.25] }));
    const wide = await sharp({
      create: { width: 400, height: 100, channels: 3, background: '#f00' },
    })
      .jpeg()
      .withMetadata({ orientation: 6 })
      .toBuffer();
    await store.put('north/light.jpg', wide);
    const { outcomes, captions } = await caption([
      { key: 'north/light.jpg', etag: null, bytes: null },
    ]);
    expect(outcomes).toMatchObject([{ status: 'encoded', width: 100, height: 400 }]);
    const [request] = server.requests;
    expect(request).toMatchObject({
      model: 'stub-vl',
      temperature: 0,
      seed: 0,
      max_tokens: 50,
      logprobs: true,
    });
    expect(promptOf(request!)).toBe('What is in north/light.jpg?');
    expect(await sharp(imageOf(request!)).metadata()).toMatchObject({
      format: 'jpeg',
      width: 16,
      height: 64,
    });
    expect(captions).toEqual([
      {
        caption: 'A lighthouse.',
        logProb: -0.75,
        score: -0.375,
        candidates: [{ caption: 'A lighthouse.', logProb: -0.75, score: -0.375 }],
        usage: {
          promptTokens: 100,
          completionTokens: 2,
          seconds: expect.any(Number),
          costUsd: 0.00012,
        },
      },
    ]);
  });

  test('names what the list of keys says of the image, and warns where it says nothing', async () => {
    const { caption } = await start((_, prompt) => ({ content: prompt }), {
      prompt: '{title}, {year} ({key}) {not a place}',
    });
    const [image] = await put(['a.png']);
    const { captions } = await caption([{ ...image!, columns: { title: 'The mill' } }]);
    expect(captions).toMatchObject([
      {
        caption: 'The mill, (a.png) {not a place}',
        warnings: ['the list of keys has no year for it'],
      },
    ]);
  });

  test('has no score where log-probabilities add up to none', async () => {
    const { caption } = await start(() => ({ content: 'A boat.', logProbs: [-1e308, -1e308] }));
    const { captions } = await caption(await put(['a.png']));
    expect(captions).toMatchObject([{ caption: 'A boat.', logProb: null, score: null }]);
  });

  test('leaves out what the server does not take', async () => {
    const { caption } = await start(() => ({ content: 'A boat.' }), {
      request: {
        temperature: null,
        seed: null,
        logProbs: false,
        jsonSchema: false,
        tokenLimit: 'max_completion_tokens',
      },
    });
    const { captions } = await caption(await put(['a.png']));
    expect(Object.keys(server.requests[0]!).toSorted()).toEqual([
      'max_completion_tokens',
      'messages',
      'model',
    ]);
    expect(captions).toMatchObject([{ caption: 'A boat.', logProb: null, score: null }]);
  });

  test('is one of so many at a time', async () => {
    const { caption } = await start(
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return { content: 'A boat.' };
      },
      { concurrency: 2 },
    );
    await caption(await put(keys));
    expect(server.inFlightMax).toBe(2);
  });
});

describe('an outage', () => {
  /** What each image meets, one after the other; then an answer. */
  const after = (replies: Record<string, Reply[]>) => (_: unknown, prompt: string) =>
    replies[keyOf(prompt)]?.shift() ?? { content: `${keyOf(prompt)} is a boat.` };

  test.each<[string, Reply]>([
    ['an error of the server', { status: 500 }],
    ['a gateway without a server', { status: 502, error: '<html>' }],
    ['a connection that breaks', 'reset'],
    ['no answer in time', 'hang'],
  ])('of a moment is waited out: %s', async (_, reply) => {
    const { caption } = await start(after({ 'b.png': [reply, reply] }), { timeoutMs: 300 });
    const { captions } = await caption(await put(['a.png', 'b.png']));
    expect(captions).toMatchObject([
      { caption: 'a.png is a boat.' },
      { caption: 'b.png is a boat.' },
    ]);
    expect(server.requests.filter((each) => promptOf(each).includes('b.png'))).toHaveLength(3);
    expect(await total('retries', { stage: 'ask' })).toBe(2);
  });

  test('that lasts leaves images for later, without a long trial of each', async () => {
    const { caption } = await start(() => ({ status: 503 }), { concurrency: 1 });
    const many = Array.from({ length: 30 }, (_, n) => `${n}.png`);
    const { outcomes } = await caption(await put(many));
    expect(outcomes.map(({ status }) => status)).toEqual(many.map(() => 'deferred'));
    expect(outcomes[0]).toMatchObject({ message: 'the server answers 503: as it was told to' });
    // Three tries of those that are under way when it begins, a handful; one of each other.
    expect(server.requests.length).toBeLessThan(2 * many.length);
  });

  test('of one image does not keep others waiting', async () => {
    const { caption } = await start(after({ 'b.png': Array(9).fill({ status: 500 }) }));
    const { outcomes } = await caption(await put(['a.png', 'b.png', 'c.png']));
    expect(outcomes.map(({ status }) => status)).toEqual(['encoded', 'deferred', 'encoded']);
  });

  test('by too many questions is no failure, however often: all wait as long as it says', async () => {
    const headers = { 'retry-after-ms': '15' };
    let throttled = 0;
    const { caption } = await start((_, prompt) => {
      throttled += 1;
      return throttled <= 12
        ? { status: 429, headers, error: { message: 'slow down' } }
        : { content: `${keyOf(prompt)} is a boat.` };
    });
    const { captions } = await caption(await put(keys));
    expect(captions.map((each) => 'caption' in each)).toEqual(keys.map(() => true));
    expect(await total('serverRequests', { outcome: 'throttled' })).toBe(12);
  });
});

describe('while a server is down', () => {
  test('no batch is worth taking, until it answers about a made-up image', async () => {
    let isDown = true;
    const { caption, encodeStage } = await start(() =>
      isDown ? { status: 503 } : { content: 'A boat.' },
    );
    await encodeStage.requireReady?.();
    expect(server.requests).toHaveLength(0); // it is taken to be well
    await caption(await put(['a.png']));
    await expect(encodeStage.requireReady?.()).rejects.toThrow(/answers 503/);
    isDown = false;
    await encodeStage.requireReady?.();
    const asked = server.requests.length;
    await encodeStage.requireReady?.();
    expect(server.requests).toHaveLength(asked);
  });

  test('and it is wrong for us when it is back, a person has to look', async () => {
    let reply: Reply = { status: 503 };
    const { caption, encodeStage } = await start(() => reply);
    await caption(await put(['a.png']));
    reply = { status: 401 };
    await expect(encodeStage.requireReady?.()).rejects.toThrow(UserError);
  });
});

describe('a server that is wrong for us', () => {
  test.each<[string, Reply, RegExp]>([
    ['another model', { status: 404, error: { message: 'no such model' } }, /404: no such model/],
    [
      'no money left',
      { status: 429, error: { message: 'You exceeded your quota', code: 'insufficient_quota' } },
      /exceeded your quota/,
    ],
    [
      'a request that it takes of nobody',
      { status: 400, error: { message: 'stub-vl is not a multimodal model' } },
      /not a multimodal model/,
    ],
  ])('ends the batch for a person to look at, and blames no image: %s', async (_, reply, says) => {
    const { caption } = await start(() => reply);
    const failed = caption(await put(['a.png'])).catch((error) => error);
    expect(await failed).toBeInstanceOf(UserError);
    expect((await failed).message).toMatch(says);
    expect((await failed).message).toContain('STUB_KEY');
  });

  test('and quotes the key, is not quoted', async () => {
    const { caption } = await start(() => ({ content: '' }), { key: 'sk-wrong-key-987654' });
    const error = await caption(await put(['a.png'])).catch((each) => each);
    expect(error.message).toContain('401: Incorrect API key provided: ***');
    expect(String(error.stack) + error.cause).not.toContain('sk-wrong');
  });
});

describe('an image', () => {
  test('that is more than the server takes at once is sent smaller, and says so', async () => {
    const { caption } = await start(async (request) => {
      const { width = 0 } = await sharp(imageOf(request)).metadata();
      if (width <= 20) return { content: 'A boat.' };
      const message = "This model's maximum context length is 512 tokens.";
      return { status: 400, error: { message, code: 'context_length_exceeded' } };
    });
    const { captions } = await caption(await put(['a.png'], 40, 30));
    expect(server.requests).toHaveLength(2);
    expect(captions).toMatchObject([
      {
        caption: 'A boat.',
        warnings: ['sent with 20 pixels: larger, it is more than the server takes'],
      },
    ]);
  });

  test('that the server does not take fails alone, as refused', async () => {
    const { caption } = await start((_, prompt) =>
      prompt.includes('b.png')
        ? { status: 400, error: { message: 'cannot identify image file' } }
        : { content: 'A boat.' },
    );
    const { outcomes } = await caption(await put(['a.png', 'b.png']));
    expect(outcomes).toMatchObject([
      { status: 'encoded' },
      {
        status: 'failed',
        failure: {
          class: 'refused',
          message: 'the server answers 400: cannot identify image file',
        },
      },
    ]);
  });

  test('that cannot be decoded is never sent', async () => {
    const { caption } = await start(() => ({ content: 'A boat.' }));
    await store.put('notes.png', Buffer.from('these are words'));
    const { outcomes } = await caption([{ key: 'notes.png', etag: null, bytes: null }]);
    expect(outcomes).toMatchObject([{ status: 'failed', failure: { class: 'unsupported' } }]);
    expect(server.requests).toHaveLength(0);
  });
});

describe('an answer', () => {
  const usage = expect.objectContaining({ promptTokens: 100 });

  test.each<[string, Reply, object]>([
    ['in quotes', { content: '"A boat."' }, { caption: 'A boat.' }],
    ['on several lines', { content: 'A boat\n\n on a lake. ' }, { caption: 'A boat on a lake.' }],
    ['after thinking aloud', { content: '<think>hm\nhm</think>\nA boat.' }, { caption: 'A boat.' }],
    ['that moves the cursor', { content: 'A \u001b[2Jboat.' }, { caption: 'A [2Jboat.' }],
    [
      'that is cut off',
      { content: 'A boat on', finish: 'length' },
      { caption: 'A boat on', warnings: ['cut off at the limit of its tokens'] },
    ],
    [
      'that is empty',
      { content: '' },
      { failure: { class: 'refused', message: 'the answer is empty' } },
    ],
    [
      'that only thinks',
      { content: '<think>hm', finish: 'length' },
      { failure: { class: 'refused', message: expect.stringContaining('--tokens-max') } },
    ],
    [
      'that refuses in words',
      { content: "I'm sorry, but I can't help with identifying people." },
      {
        failure: {
          class: 'refused',
          message: expect.stringMatching(/^the model refuses: "I'm sorry/),
        },
      },
    ],
    [
      'that refuses by its field',
      { content: '', refusal: 'No.' },
      { failure: { class: 'refused', message: 'the model refuses: "No."' } },
    ],
    [
      'that was filtered',
      { content: 'A', finish: 'content_filter' },
      { failure: { class: 'refused', message: 'the model refuses: "A"' } },
    ],
  ])('%s', async (_, reply, expected) => {
    const { caption } = await start(() => reply);
    const { captions } = await caption(await put(['a.png']));
    expect(captions).toEqual([expect.objectContaining({ ...expected, usage })]);
  });

  test('of moderation is a refusal, too', async () => {
    const { caption } = await start(() => ({
      status: 400,
      error: { message: 'Rejected by our safety system', code: 'content_policy_violation' },
    }));
    const { captions } = await caption(await put(['a.png']));
    expect(captions).toMatchObject([{ failure: { class: 'refused' } }]);
  });

  test('that begins like a refusal and is none stays a caption', async () => {
    const sentences = ['Sorry stories: a poster.', 'I can see a boat.', 'We won the cup.'];
    const { caption } = await start((_, prompt) => ({
      content: sentences[Number(keyOf(prompt).at(0))] ?? '',
    }));
    const { captions } = await caption(await put(['0.png', '1.png', '2.png']));
    expect(captions.map((each) => 'caption' in each && each.caption)).toEqual(sentences);
  });

  const fields = {
    caption: 'A boat on a lake.',
    altText: 'A small boat lies on a calm lake.',
    keywords: ['boat', 'lake', 'boat', ''],
    visibleText: 'NORA',
  };

  test('as JSON gives its fields', async () => {
    const { caption } = await start(() => ({ content: JSON.stringify(fields) }), {
      answer: { format: 'json', tokensMax: 50 },
    });
    const { captions } = await caption(await put(['a.png']));
    expect(captions).toMatchObject([{ ...fields, keywords: ['boat', 'lake'] }]);
    expect(server.requests[0]).toMatchObject({ response_format: { type: 'json_schema' } });
  });

  test.each([
    ['in a fence', `\`\`\`json\n${JSON.stringify(fields)}\n\`\`\``, { altText: fields.altText }],
    ['with the caption alone', '{"caption": "A boat.", "visibleText": ""}', { caption: 'A boat.' }],
    ['that is text', 'A boat.', { failure: { class: 'refused' } }],
    ['without a caption', '{"altText": "A boat."}', { failure: { class: 'refused' } }],
  ])('as JSON, %s', async (_, content, expected) => {
    const { caption } = await start(() => ({ content }), {
      answer: { format: 'json', tokensMax: 50 },
    });
    const { captions } = await caption(await put(['a.png']));
    expect(captions).toMatchObject([expected]);
  });

  test('that many images of a batch got is named', async () => {
    const { caption } = await start((_, prompt) => ({
      content: prompt.includes('f.png') ? 'A boat.' : 'A picture.',
    }));
    const { captions } = await caption(await put(keys));
    const warned = captions.map((each) => 'caption' in each && each.warnings);
    const warning = ['the same as that of many images'];
    expect(warned).toEqual([...Array(5).fill(warning), undefined]);
  });
});
