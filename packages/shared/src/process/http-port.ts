import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError, UserError } from '../errors.ts';
import { withDeadline } from './deadline.ts';
import type { Metrics } from './metrics.ts';

export interface HttpPort {
  /** The port that was taken; the configured one, or a free one for 0. */
  port: number;
  close(): Promise<void>;
}

export interface HttpPortOptions {
  host: string;
  port: number;
  metrics: Metrics;
  /** Brings gauges up to date before they are read. */
  beforeScrape?: () => Promise<void>;
  /** Why the process is not healthy (no longer making progress), or undefined. */
  unhealthy: () => string | undefined;
  /** What the process cannot do its work without, by name: each rejects when it is not there. */
  ready: Record<string, () => Promise<unknown>>;
}

/**
 * Redis and the stores have this long to answer before a page is served without them. Commands to
 * a Redis that is gone wait until it is back; whoever asks for a page does not, and a scrape least
 * of all.
 */
const answerMsMax = 2_000;
const scrapeMsMax = 100;

/** Serves `/metrics` (Prometheus), `/healthz` (alive and making progress) and `/readyz`. */
export async function openHttpPort(options: HttpPortOptions): Promise<HttpPort> {
  const answer = (response: ServerResponse, status: number, text: string) =>
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);

  const showMetrics = async (response: ServerResponse) => {
    // A scrape during an outage still tells what this process knows itself.
    await withDeadline(options.beforeScrape?.() ?? Promise.resolve(), scrapeMsMax).catch(() => {});
    const { registry } = options.metrics;
    response.writeHead(200, { 'content-type': registry.contentType });
    response.end(await registry.metrics());
  };
  const showHealth = async (response: ServerResponse) => {
    const reason = options.unhealthy();
    answer(response, reason ? 503 : 200, reason ?? 'ok');
  };
  const showReadiness = async (response: ServerResponse) => {
    const ask = async ([name, check]: [string, () => Promise<unknown>]) =>
      withDeadline(check(), answerMsMax).then(
        () => [],
        (error: unknown) => [`${name}: ${describeError(error)}`],
      );
    const missing = (await Promise.all(Object.entries(options.ready).map(ask))).flat();
    answer(response, missing.length > 0 ? 503 : 200, missing.join('\n') || 'ok');
  };
  const pages = new Map([
    ['/metrics', showMetrics],
    ['/healthz', showHealth],
    ['/readyz', showReadiness],
  ]);

  const server = createServer((request, response) => {
    // Anybody may send anything: what is in the request is compared, and not parsed.
    const page = pages.get(request.url?.split('?')[0] ?? '');
    if (!page) return answer(response, 404, 'Try /metrics, /healthz or /readyz.');
    page(response).catch((error) => answer(response, 500, describeError(error)));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(explain(cause, options)));
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function explain(cause: NodeJS.ErrnoException, { host, port }: HttpPortOptions): UserError {
  const advice =
    cause.code === 'EADDRINUSE'
      ? `Port ${port} is in use by another process: choose another with --http-port (or ` +
        'CUTLINE_HTTP_PORT); 0 takes a free one.'
      : cause.code === 'EACCES'
        ? `Port ${port} is for privileged processes: choose one above 1023 with --http-port (or ` +
          'CUTLINE_HTTP_PORT).'
        : `Cannot serve metrics on ${host}, port ${port} (${describeError(cause)}): correct ` +
          '--http-host (or CUTLINE_HTTP_HOST) and --http-port.';
  return new UserError(advice, { cause });
}
