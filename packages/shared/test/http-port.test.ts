import { type HttpPort, Metrics, openHttpPort } from '@cutline/shared/process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let metrics: Metrics;
let port: HttpPort;
let sick: string | undefined;
let unready: Error | 'silent' | undefined;
let scrapes: number;
let scrapeFails: boolean;

const open = (options: { host?: string; port?: number } = {}) =>
  openHttpPort({
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    metrics,
    beforeScrape: async () => {
      scrapes += 1;
      if (scrapeFails) await new Promise(() => {}); // as commands to a Redis that is gone
      metrics.featureBytes.set(4096);
    },
    unhealthy: () => sick,
    ready: {
      Redis: async () => {
        if (unready === 'silent') await new Promise(() => {});
      },
      stores: async () => {
        if (unready instanceof Error) throw unready;
      },
    },
  });

beforeEach(async () => {
  metrics = new Metrics();
  sick = unready = undefined;
  scrapes = 0;
  scrapeFails = false;
  port = await open();
});
afterEach(() => port.close());

async function get(path: string, method = 'GET') {
  const answer = await fetch(`http://127.0.0.1:${port.port}${path}`, { method });
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    text: await answer.text(),
  };
}

describe('/metrics', () => {
  test('is what Prometheus reads, with gauges brought up to date first', async () => {
    metrics.images.inc({ stage: 'decode', state: 'captioned' }, 3);
    const { status, type, text } = await get('/metrics');
    expect({ status, scrapes }).toEqual({ status: 200, scrapes: 1 });
    expect(type).toMatch(/^text\/plain; version=/);
    expect(text).toContain('cutline_images_total{stage="decode",state="captioned"} 3');
    expect(text).toContain('cutline_feature_bytes 4096');
  });

  test('still says what the process knows itself while Redis is gone', async () => {
    scrapeFails = true;
    metrics.images.inc({ stage: 'decode', state: 'captioned' }, 3);
    const { status, text } = await get('/metrics?x=1');
    expect(status).toBe(200);
    expect(text).toContain('cutline_images_total{stage="decode",state="captioned"} 3');
  });
});

describe('/healthz', () => {
  test('is well while work goes on', async () => {
    expect(await get('/healthz')).toMatchObject({ status: 200, text: 'ok\n' });
  });

  test('says why not', async () => {
    sick = 'a batch has been in hand for 1000 s';
    expect(await get('/healthz')).toMatchObject({ status: 503, text: `${sick}\n` });
  });
});

describe('/readyz', () => {
  test('is ready while everything needed is there', async () => {
    expect(await get('/readyz')).toMatchObject({ status: 200, text: 'ok\n' });
  });

  test('says what is missing, and is ready again when it is back', async () => {
    unready = new Error('S3 is down', { cause: new Error('ECONNREFUSED') });
    expect(await get('/readyz')).toMatchObject({
      status: 503,
      text: 'stores: S3 is down: ECONNREFUSED\n',
    });
    unready = 'silent';
    expect(await get('/readyz')).toMatchObject({
      status: 503,
      text: 'Redis: no answer within 2 s\n',
    });
    unready = undefined;
    expect(await get('/readyz')).toMatchObject({ status: 200 });
  });
});

test('other paths say which there are', async () => {
  for (const path of ['/', '/metrics/', '//', '/healthz%00', '/toString']) {
    expect(await get(path), path).toMatchObject({
      status: 404,
      text: 'Try /metrics, /healthz or /readyz.\n',
    });
  }
});

test('a port that is taken is a mistake, and the message says what to do', async () => {
  await expect(open({ port: port.port })).rejects.toThrow(
    expect.objectContaining({
      name: 'UserError',
      message:
        `Port ${port.port} is in use by another process: choose another with --http-port (or ` +
        'CUTLINE_HTTP_PORT); 0 takes a free one.',
    }),
  );
});

test('an address that is not this machine’s is a mistake as well', async () => {
  await expect(open({ host: '192.0.2.1' })).rejects.toThrow(
    /Cannot serve metrics on 192\.0\.2\.1, port 0 .*: correct --http-host/,
  );
});

test('after closing, nobody listens, open connections or not', async () => {
  const { port: number } = port;
  await get('/healthz'); // kept alive
  await port.close();
  await expect(fetch(`http://127.0.0.1:${number}/healthz`)).rejects.toThrow();
  port = await open();
});
