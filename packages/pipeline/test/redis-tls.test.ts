import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connectRedis } from '@cutline/pipeline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, type RedisServer, startRedis } from '../../../test/support/redis-server.ts';

/** TLS with a certificate of one's own authority, which is trusted once Node.js is told of it. */

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));

let folder: string;
let server: RedisServer;
let tlsPort: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-tls-'));
  // biome-ignore format: a flag and its value
  await run('openssl', [
    'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost', '-keyout', 'key.pem', '-out', 'ca.pem',
  ], { cwd: folder });
  tlsPort = await freePort();
  // biome-ignore format: a flag and its value
  const args = [
    '--tls-port', String(tlsPort), '--tls-cert-file', join(folder, 'ca.pem'),
    '--tls-key-file', join(folder, 'key.pem'), '--tls-auth-clients', 'no',
  ];
  server = await startRedis({ args });
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

/** What a process says that trusts our authority, and connects. */
async function connectTrusting(url: string): Promise<string> {
  const program = `
    import { connectRedis } from './packages/pipeline/dist/redis/redis.js'; // the whole takes seconds
    try {
      const redis = await connectRedis(${JSON.stringify(url)});
      console.log(await redis.duplicate().ping());
      process.exit();
    } catch (error) {
      console.log(error.message);
      process.exit();
    }`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: root,
    env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
  });
  return stdout.trim();
}

test.each(['rediss://', 'rediss+cluster://', 'rediss+sentinel://'])(
  'an authority that nobody knows is refused in one line (%s)',
  async (scheme) => {
    const path = scheme === 'rediss+sentinel://' ? '/main' : '';
    const url = `${scheme}user:secret@localhost:${tlsPort}${path}`;
    const error = await connectRedis(url, { deadlineMs: 500 }).catch((thrown) => thrown);
    expect(error.name).toBe('UserError');
    expect(error.message).toMatch(
      /^The certificate of Redis at .* is not trusted \(self-signed certificate\): if its authority is your own, name the authority's certificate in NODE_EXTRA_CA_CERTS\.$/,
    );
    expect(error.message).not.toContain('secret');
  },
);

test('it is trusted once it is named in NODE_EXTRA_CA_CERTS', async () => {
  expect(await connectTrusting(`rediss://localhost:${tlsPort}`)).toBe('PONG');
});

test('a certificate of another name is refused in one line', async () => {
  expect(await connectTrusting(`rediss://127.0.0.1:${tlsPort}`)).toMatch(
    /^The certificate of Redis at .* is not trusted \(Hostname\/IP does not match/,
  );
});

test('a server that speaks no TLS is told of, and one that speaks nothing else', async () => {
  const deadlineMs = 500;
  await expect(connectRedis(`rediss://localhost:${server.port}`, { deadlineMs })).rejects.toThrow(
    /^Cannot reach Redis .*; if it has no TLS, write redis:\/\/\.$/,
  );
  await expect(connectRedis(`redis://localhost:${tlsPort}`, { deadlineMs })).rejects.toThrow(
    /^Cannot reach Redis .*; if it wants TLS, write rediss:\/\/\.$/,
  );
});
