import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  type AnswerFormat,
  bundleName,
  type ChatServer,
  everything,
  forUser,
  listed,
  openServer,
  parseServedDescription,
  probeServer,
  type ServedDescription,
  ServerError,
  shelfFolder,
} from '@cutline/inference';
import { describeError, UserError } from '@cutline/shared/errors';
import { redactUrl } from '@cutline/shared/process';
import type { Price } from '@cutline/shared/run';
import { requireReplaceable, writeBundle } from './write-bundle.ts';

export interface AddServedRequest {
  /** Where the server is, up to and including `/v1`. */
  url: string;
  name?: string | undefined;
  /** A folder for the bundle; default: on the shelf, under its name. */
  into?: string | undefined;
  /** As the server calls it; default: the one that it serves. */
  servedModel?: string | undefined;
  promptFile?: string | undefined;
  answers: AnswerFormat;
  imageSize?: number | undefined;
  jpegQuality: number;
  tokensMax: number;
  apiKeyVariable?: string | undefined;
  price?: Price | undefined;
  licence?: string | undefined;
  /** Told of every step, in words. */
  onStep: (what: string) => void;
}

/** How long the first answer may take, in milliseconds: some servers load the model for it. */
const firstAnswerMsMax = 300_000;

/** What most models behind servers were trained on or less; more costs tokens. */
const imageSizeDefault = 1024;

/**
 * Makes a bundle of a model behind a server: asks it about a made-up image, and notes what it takes.
 * @returns the bundle's folder
 * @throws UserError in one line, for everything that a person has to put right
 */
export async function addServed(request: AddServedRequest): Promise<string> {
  const url = checkUrl(request.url);
  const format = request.answers;
  const prompt = await readPrompt(request.promptFile, format);
  const apiKeyVariable = request.apiKeyVariable ?? defaultKeyVariable(url);
  const unnamed = { url, protocol: 'openai' as const, apiKeyVariable };
  const asked = { name: request.name ?? url, server: { ...unnamed, model: '' } };
  const server = openServer(asked, { timeoutMs: firstAnswerMsMax });
  request.onStep('asking the server …');
  const model = await chooseModel(server, request.servedModel, asked);
  const name = request.name ?? nameOf(model);
  if (!bundleName.test(name)) {
    throw new UserError(
      `"${name}" cannot be a model's name: give one of lower-case words and digits, joined by ` +
        'hyphens (--name).',
    );
  }
  const folder = resolve(request.into ?? join(shelfFolder(), name));
  await requireReplaceable(folder);
  const description: ServedDescription = parseServedDescription({
    formatVersion: 4,
    kind: 'server',
    name,
    description: `${model}, behind a server: ${new URL(url).host}.`,
    server: { ...unnamed, model },
    image: { sideMax: request.imageSize ?? imageSizeDefault, jpegQuality: request.jpegQuality },
    prompt,
    answer: { format, tokensMax: request.tokensMax },
    request: everything,
    price: request.price ?? null,
    measured: null,
    licence: request.licence ?? 'as the server’s model has it',
  });
  request.onStep('asking about a made-up image …');
  const { request: traits, answer } = await probeServer(server, description).catch((error) => {
    throw unreachable(error, description);
  });
  const { promptTokens, completionTokens, seconds } = answer.usage;
  const measured = { promptTokens, completionTokens, seconds };
  const json = `${JSON.stringify({ ...description, request: traits, measured }, null, 2)}\n`;
  await writeBundle(folder, new Map([['model.json', Buffer.from(json)]]));
  return folder;
}

/** @throws UserError for what is no address, or holds a secret */
function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UserError(
      `openai:${redactUrl(text)} is no server: give its address as in openai:http://127.0.0.1:8000/v1.`,
    );
  }
  if (redactUrl(text) !== text) {
    throw new UserError(
      `openai:${redactUrl(text)}: a key does not belong into an address. Put it into an ` +
        'environment variable, and give its name (--api-key-variable).',
    );
  }
  return text.replace(/\/+$/, '');
}

/** Keys go nowhere by themselves but to whom they are of. */
function defaultKeyVariable(url: string): string | null {
  return new URL(url).hostname === 'api.openai.com' ? 'OPENAI_API_KEY' : null;
}

const promptLengthMax = 20_000;

const promptDefault =
  'Describe this photograph in one plain sentence, for the catalogue of an archive. Name what can ' +
  'be seen, and nothing that cannot. Do not begin with "a photograph of" or the like.';

const jsonInstruction =
  'Answer with one JSON object and nothing else: {"caption": one plain sentence, "altText": one ' +
  'or two sentences for somebody who cannot see it, "keywords": [up to ten words], ' +
  '"visibleText": what is to be read in it, or ""}.';

async function readPrompt(path: string | undefined, format: AnswerFormat): Promise<string> {
  const prompt = path === undefined ? promptDefault : await readPromptFile(path);
  return format === 'json' ? `${prompt}\n\n${jsonInstruction}` : prompt;
}

async function readPromptFile(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new UserError(`The prompt ${path} cannot be read (${cause.code}).`, { cause });
  });
  const prompt = text.trim();
  if (prompt !== '' && prompt.length <= promptLengthMax) return prompt;
  throw new UserError(
    `The prompt ${path} has ${prompt.length} characters; 1 to ${promptLengthMax} are expected.`,
  );
}

type Asked = Pick<ServedDescription, 'name' | 'server'>;

async function chooseModel(
  server: ChatServer,
  wanted: string | undefined,
  asked: Asked,
): Promise<string> {
  const models = await server.models().catch((error) => {
    throw unreachable(error, asked);
  });
  if (wanted !== undefined) {
    if (models.length === 0 || models.includes(wanted)) return wanted;
    throw new UserError(`The server does not serve "${wanted}", but ${listed(models)}.`);
  }
  const [only, ...others] = models;
  if (only !== undefined && others.length === 0) return only;
  throw new UserError(
    only === undefined
      ? 'The server names no models: say which one to ask (--served-model).'
      : `The server serves ${listed(models)}: say which one to ask (--served-model).`,
  );
}

function unreachable(error: unknown, asked: Asked): unknown {
  if (!(error instanceof ServerError)) return error;
  if (error.fault !== 'unavailable') return forUser(error, asked);
  return new UserError(
    `${asked.server.url} was asked, and ${describeError(error)}. Start it, or give another address.`,
    { cause: error },
  );
}

/** `Qwen/Qwen3-VL-8B-Instruct` → `qwen3-vl-8b-instruct` */
function nameOf(model: string): string {
  const [last = ''] = model.split('/').slice(-1);
  return last
    .toLowerCase()
    .replaceAll(/[^a-z0-9.]+/g, '-')
    .replaceAll(/^[-.]+|[-.]+$/g, '');
}
