import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeModel } from '@cutline/inference';
import { UserError } from '@cutline/shared/errors';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type ChatRequest,
  type ModelServer,
  type ModelServerOptions,
  promptOf,
  startModelServer,
} from '../../../test/support/model-server.ts';
import { type AddServedRequest, addServed } from '../dist/models/add-served.js';

/** `cutline model add openai:…`, up to the bundle. */

let folder: string;
let server: ModelServer | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-served-'));
});
afterEach(async () => {
  vi.unstubAllEnvs(); // other files are tried in this process
  await server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<ModelServerOptions> = {}): Promise<string> {
  server = await startModelServer({ reply: () => ({ content: 'A gradient.' }), ...options });
  return server.url;
}

const add = (url: string, more: Partial<AddServedRequest> = {}) =>
  addServed({
    ...{ url, into: join(folder, 'model'), answers: 'text', jpegQuality: 85, tokensMax: 200 },
    onStep: () => {},
    ...more,
  });

async function describeAdded() {
  const model = await describeModel(join(folder, 'model'));
  if (model.kind !== 'served') throw new Error('it should be behind a server');
  return model;
}

/** Refuses requests with such a parameter, as OpenAI does. */
const without =
  (...parameters: string[]) =>
  (request: ChatRequest) => {
    const param = parameters.find((name) => name in request);
    if (param === undefined) return { content: 'A gradient.' };
    return { status: 400, error: { message: `Unsupported parameter: '${param}'`, param } };
  };

test('notes which model it is, and what a made-up image took', async () => {
  const url = await start({ models: ['Qwen/Qwen3-VL-8B-Instruct'] });
  await add(`${url}/`);
  const { id, description } = await describeAdded();
  expect(id).toMatch(/^qwen3-vl-8b-instruct@[0-9a-f]{12}$/);
  expect(description).toMatchObject({
    server: { url, model: 'Qwen/Qwen3-VL-8B-Instruct', apiKeyVariable: null },
    request: { temperature: 0, seed: 0, logProbs: true, tokenLimit: 'max_tokens' },
    measured: { promptTokens: 100, completionTokens: 2 },
    price: null,
  });
  expect(promptOf(server!.requests[0]!)).toMatch(/^Describe this photograph/);
});

test('finds out what the server does not take', async () => {
  const url = await start({ reply: without('max_tokens', 'logprobs', 'seed', 'temperature') });
  await add(url);
  expect((await describeAdded()).description.request).toEqual({
    temperature: null,
    seed: null,
    logProbs: false,
    jsonSchema: true,
    tokenLimit: 'max_completion_tokens',
  });
});

test('asks for JSON in words, too, where the server does not hold answers to a schema', async () => {
  const url = await start({ reply: without('response_format') });
  await add(url, { answers: 'json' });
  const { answer, request, prompt } = (await describeAdded()).description;
  expect(answer.format).toBe('json');
  expect(request.jsonSchema).toBe(false);
  expect(prompt).toContain('{"caption":');
});

test('is the same model wherever its server is, and another with another prompt', async () => {
  const url = await start();
  await add(url, { name: 'a' });
  const { id } = await describeAdded();
  await server?.close();
  await add(await start(), { name: 'a' });
  expect((await describeAdded()).id).toBe(id);
  const promptFile = join(folder, 'prompt.txt');
  await writeFile(promptFile, 'What is it?\n');
  await add(server!.url, { name: 'a', promptFile });
  expect((await describeAdded()).id).not.toBe(id);
});

test('holds no key, though it was asked with one', async () => {
  vi.stubEnv('CUTLINE_TEST_KEY', 'sk-hush-hush');
  const url = await start({ apiKey: 'sk-hush-hush' });
  await add(url, { apiKeyVariable: 'CUTLINE_TEST_KEY' });
  const json = await readFile(join(folder, 'model', 'model.json'), 'utf8');
  expect(json).toContain('CUTLINE_TEST_KEY');
  expect(json).not.toContain('hush');
});

describe('one line says what to put right:', () => {
  test.each<[string, string, Partial<AddServedRequest>, RegExp]>([
    ['no address', 'localhost:8000', {}, /openai:localhost:8000 is no server: give its address/],
    [
      'a password in the address',
      'http://me:hush@127.0.0.1:9/v1',
      {},
      /openai:http:\/\/\*\*\*@127\.0\.0\.1:9\/v1: a key does not belong into an address/,
    ],
    [
      'a key in the address',
      'http://127.0.0.1:9/v1?api_key=hush',
      {},
      /\?api_key=\*\*\*: a key does not belong into an address/,
    ],
    ['no server', 'http://127.0.0.1:9/v1', {}, /cannot be reached \(.+\)\. Start it/],
    ['no key', 'SERVER', {}, /the server answers 401.*--api-key-variable/],
    [
      'a variable without a key',
      'SERVER',
      { apiKeyVariable: 'NOT_SET' },
      /set the environment variable NOT_SET/,
    ],
    [
      'a key that is none',
      'SERVER',
      { apiKeyVariable: 'CUTLINE_TEST_BROKEN_KEY' },
      /CUTLINE_TEST_BROKEN_KEY has characters that no key has/,
    ],
    [
      'a model that is not served',
      'SERVER',
      { apiKeyVariable: 'CUTLINE_TEST_KEY', servedModel: 'other' },
      /The server does not serve "other", but "one", "two"/,
    ],
    [
      'no choice among models',
      'SERVER',
      { apiKeyVariable: 'CUTLINE_TEST_KEY' },
      /The server serves "one", "two": say which one to ask \(--served-model\)/,
    ],
    [
      'a prompt that is not there',
      'SERVER',
      { promptFile: 'no-such-file' },
      /The prompt no-such-file cannot be read \(ENOENT\)/,
    ],
  ])('%s', async (_, url, more, says) => {
    vi.stubEnv('CUTLINE_TEST_KEY', 'sk-hush-hush');
    vi.stubEnv('CUTLINE_TEST_BROKEN_KEY', 'sk-hush\nhush');
    const started = await start({ apiKey: 'sk-hush-hush', models: ['one', 'two'] });
    const error = await add(url.replace('SERVER', started), more).catch((each) => each);
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toMatch(says);
    expect(error.message).not.toContain('hush');
  });

  test('a folder that is something else', async () => {
    const url = await start();
    await expect(add(url, { into: folder })).rejects.toThrow(/is no model bundle/);
  });
});
