import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { version } from '../../version.ts';
import type { S3Config } from './s3-config.ts';
import { mayBeExpired } from './s3-errors.ts';
import { s3Sdk } from './s3-sdk.ts';

/**
 * One client for one store, with connections that are kept and bounded.
 *
 * The SDK tries twice. The second attempt is for a kept connection that the server closed in the
 * very moment of its reuse. More are the pipeline's business: it retries in place with jitter,
 * counts each retry, and sets the image aside when that does not help, none of which it could do
 * if faults were hidden down here for half a minute.
 */
export class RenewableClient {
  readonly #config: S3Config;
  readonly #requestHandler: NodeHttpHandler;
  #client: S3Client;

  constructor(config: S3Config) {
    this.#config = config;
    this.#requestHandler = createRequestHandler(config);
    this.#client = createS3Client(config, this.#requestHandler);
  }

  /**
   * Credentials that have expired are asked for once again, by a client that has not read them yet:
   * somebody may have renewed them in the file that they came from. The connections stay.
   *
   * @throws what the SDK throws
   */
  async send<Answer>(ask: (client: S3Client) => Promise<Answer>): Promise<Answer> {
    const client = this.#client;
    try {
      return await ask(client);
    } catch (error) {
      if (this.#config.credentials !== undefined || !mayBeExpired(error)) throw error;
      if (this.#client === client) {
        this.#client = createS3Client(this.#config, this.#requestHandler, { ignoreCache: true });
      }
      return await ask(this.#client);
    }
  }

  destroy(): void {
    this.#client.destroy();
  }
}

function createS3Client(
  config: S3Config,
  requestHandler: NodeHttpHandler,
  reading: { ignoreCache?: boolean } = {},
): S3Client {
  // The SDK announces on stderr that its releases of 2027 will require Node 22. The version in
  // package-lock.json supports Node 20, and stderr is for log lines of one JSON object each.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

  const { endpoint, region, pathStyle, credentials } = config;
  const options: S3ClientConfig & { ignoreCache?: boolean } = {
    ...reading, // which the SDK hands on to whatever reads its files
    maxAttempts: 2,
    // Requests of a kind are all alike: how they are made is put together once. A quarter of a GET's
    // CPU time; options given with a request (an abort signal, say) would undo it.
    cacheMiddleware: true,
    forcePathStyle: pathStyle ?? endpoint !== undefined,
    requestHandler,
  };
  if (region !== undefined) options.region = region;
  if (endpoint !== undefined) {
    options.endpoint = endpoint;
    options.region ??= 'us-east-1'; // what stores other than Amazon's expect to be signed for
  }
  if (credentials) {
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    options.credentials = { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
  }
  if (endpoint !== undefined && !isAmazon(endpoint)) {
    // By default the SDK sends CRC32 trailers, which other stores refuse or store as content.
    options.requestChecksumCalculation = 'WHEN_REQUIRED';
    options.responseChecksumValidation = 'WHEN_REQUIRED';
  }
  const client = new s3Sdk.S3Client(options);
  nameItself(client);
  return client;
}

/**
 * Access logs of stores say who asks. What the SDK would say instead is put together for every
 * request, and so is what it tells a logger, which there is none of: an eighth of a GET's CPU time.
 */
function nameItself(client: S3Client): void {
  for (const name of ['getUserAgentMiddleware', 'loggerMiddleware']) {
    if (!client.middlewareStack.remove(name)) throw new Error(`The SDK has no ${name} any more.`);
  }
  client.middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers['user-agent'] = userAgent;
      return next(args);
    },
    { step: 'build', name: 'cutlineUserAgent' },
  );
}

const userAgent = `cutline/${version}`;

function createRequestHandler(config: S3Config): NodeHttpHandler {
  const agent = { keepAlive: true, maxSockets: socketsMax };
  return new NodeHttpHandler({
    httpAgent: new HttpAgent(agent),
    httpsAgent: new HttpsAgent(agent),
    connectionTimeout: config.connectTimeoutMs,
    requestTimeout: config.requestTimeoutMs,
    throwOnRequestTimeout: true, // else it only warns
    socketTimeout: config.requestTimeoutMs,
  });
}

/**
 * More than a process has requests in flight (which its settings bound): one that waits for a
 * connection for longer than `connectTimeoutMs` fails.
 */
const socketsMax = 1_024;

function isAmazon(endpoint: string): boolean {
  return /\.amazonaws\.com(\.cn)?$/.test(new URL(endpoint).hostname);
}
