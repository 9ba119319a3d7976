import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { type ObjectStore, openStore } from '@cutline/shared/stores';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Process, startProcess, stopProcess } from '../../../test/support/processes.ts';
import { s3Access } from '../../../test/support/s3-server.ts';
import { waitFor } from '../../../test/support/wait-for.ts';

/**
 * Conditional puts against a server that others wrote: moto, which answers as Amazon does. The
 * server of the other tests has its conditions from us.
 */
const isThere = spawnSync('moto_server', ['--help'], { stdio: 'ignore' }).status === 0;
if (!isThere) {
  console.warn(
    "SKIPPED: conditional puts against moto. There is no moto_server on the PATH: pip install 'moto[server]'",
  );
}

describe.skipIf(!isThere)('moto', () => {
  let server: Process;
  let store: ObjectStore;
  const notices: string[] = [];

  beforeAll(async () => {
    const port = await freePort();
    server = await startProcess({
      command: 'moto_server',
      args: ['-H', '127.0.0.1', '-p', `${port}`],
    });
    const { config } = s3Access(`http://127.0.0.1:${port}`);
    const client = new S3Client({
      ...structuredClone(config), // which the SDK adds to
      region: 'us-east-1',
      forcePathStyle: true,
    } as object);
    await waitFor(
      () =>
        client.send(new CreateBucketCommand({ Bucket: 'archive' })).then(
          () => true,
          () => false,
        ),
      { deadlineMs: 20_000, what: 'moto to make a bucket' },
    );
    client.destroy();
    store = await openStore('s3://archive', { ...config, onNotice: (text) => notices.push(text) });
  });
  afterAll(async () => {
    store?.close();
    if (server) await stopProcess(server);
  });

  test('knows the conditions of puts', async () => {
    const put = (key: string, text: string, options?: Parameters<ObjectStore['put']>[2]) =>
      store.put(key, Buffer.from(text), options);
    for (const key of ['1', '2']) {
      const { etag } = await put(key, 'first', { ifAbsent: true });
      expect(await store.head(key)).toMatchObject({ etag });
      await expect(put(key, 'no', { ifAbsent: true })).rejects.toMatchObject({ reason: 'exists' });
      await put(key, 'second', { ifMatch: etag });
      await expect(put(key, 'no', { ifMatch: etag })).rejects.toMatchObject({ reason: 'exists' });
      expect((await store.get(key)).bytes.toString()).toBe('second');
    }
    await store.delete('1');
    const gone = put('1', 'no', { ifMatch: 'e'.repeat(32) });
    await expect(gone).rejects.toMatchObject({ reason: 'exists' });
    expect(notices).toEqual([]);
  });

  test('goes on with a listing after a key', async () => {
    const keys = ['l/a', 'l/a b', 'l/ü', 'l/東'];
    for (const key of keys) await store.put(key, Buffer.from('x'));
    const listed: string[] = [];
    for await (const { key } of store.list('l/', { startAfter: 'l/a' })) listed.push(key);
    expect(listed).toEqual(keys.slice(1));
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
