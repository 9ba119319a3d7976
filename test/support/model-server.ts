import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * A server that speaks OpenAI's protocol, and has no model: what it answers is given to it, and it
 * remembers what it was asked and what it would bill.
 */

export interface ChatRequest {
  model: string;
  messages: { role: string; content: ({ type: string } & Record<string, unknown>)[] }[];
  [parameter: string]: unknown;
}

/** How it answers one request. */
export type Reply =
  | {
      content?: string;
      refusal?: string;
      finish?: 'stop' | 'length' | 'content_filter';
      /** Of each token. */
      logProbs?: number[];
      promptTokens?: number;
      completionTokens?: number;
    }
  | { status: number; error?: unknown; headers?: Record<string, string> }
  /** It takes the request, and says nothing more. */
  | 'hang'
  /** It closes the connection. */
  | 'reset';

export interface ModelServer {
  /** Up to and including `/v1`. */
  url: string;
  /** All that it was asked for, in order. */
  requests: ChatRequest[];
  /** Of the answers that went out. */
  billed: { answers: number; promptTokens: number; completionTokens: number };
  /** Requests in hand at once, at most. */
  inFlightMax: number;
  close(): Promise<void>;
}

export interface ModelServerOptions {
  models?: string[];
  /** Without it in a request, the server answers 401, and quotes what it got. */
  apiKey?: string;
  reply: (request: ChatRequest, prompt: string) => Reply | Promise<Reply>;
  port?: number;
}

export async function startModelServer({
  models = ['stub-vl'],
  apiKey,
  reply,
  port = 0,
}: ModelServerOptions): Promise<ModelServer> {
  const requests: ChatRequest[] = [];
  const billed = { answers: 0, promptTokens: 0, completionTokens: 0 };
  let inFlight = 0;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const key = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1];
    if (apiKey !== undefined && key !== apiKey) {
      return send(response, 401, { error: { message: `Incorrect API key provided: ${key}.` } });
    }
    if (request.url === '/v1/models') {
      return send(response, 200, { object: 'list', data: models.map((id) => ({ id })) });
    }
    if (request.url !== '/v1/chat/completions') {
      return send(response, 404, { error: { message: 'Not Found' } });
    }
    const question = JSON.parse(body) as ChatRequest;
    requests.push(question);
    const said = await reply(question, promptOf(question));
    if (said === 'hang') return;
    if (said === 'reset') {
      request.socket.resetAndDestroy();
      return;
    }
    if ('status' in said) {
      for (const [name, value] of Object.entries(said.headers ?? {}))
        response.setHeader(name, value);
      return send(response, said.status, { error: said.error ?? { message: 'as it was told to' } });
    }
    const { content = '', refusal, finish = 'stop', logProbs } = said;
    const { promptTokens = 100, completionTokens = content.split(' ').length } = said;
    billed.answers += 1;
    billed.promptTokens += promptTokens;
    billed.completionTokens += completionTokens;
    send(response, 200, {
      choices: [
        {
          index: 0,
          finish_reason: finish,
          message: { role: 'assistant', content, ...(refusal !== undefined && { refusal }) },
          logprobs: logProbs ? { content: logProbs.map((logprob) => ({ logprob })) } : null,
        },
      ],
      usage: { prompt_tokens: promptTokens, completion_tokens: completionTokens },
    });
  }

  const result: ModelServer = { url: '', requests, billed, inFlightMax: 0, close };
  const server = createServer((request, response) => {
    inFlight += 1;
    result.inFlightMax = Math.max(result.inFlightMax, inFlight);
    response.once('close', () => {
      inFlight -= 1;
    });
    answer(request, response).catch((error) => response.destroy(error));
  });
  async function close(): Promise<void> {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  result.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return result;
}

/** What it was asked in words. */
export function promptOf({ messages }: ChatRequest): string {
  const part = messages.at(-1)?.content.find(({ type }) => type === 'text');
  return String(part?.text ?? '');
}

/** The image that it was asked about. */
export function imageOf({ messages }: ChatRequest): Buffer {
  const part = messages.at(-1)?.content.find(({ type }) => type === 'image_url');
  const { url = '' } = (part?.image_url ?? {}) as { url?: string };
  return Buffer.from(url.slice(url.indexOf(',') + 1), 'base64');
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
