import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CredentialGuard, startCredentialGuard } from './support/credential-guard.ts';
import { type Environment, type Pipeline, startPipeline, untilDone } from './support/pipeline.ts';
import { stopProcess } from './support/processes.ts';
import { expectToReconcile } from './support/run-results.ts';
import { sampleImages } from './support/sample-images.ts';

/** Credentials that are replaced in the middle of a run: it goes on, and no image is the worse for it. */

let pipeline: Pipeline;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-credentials-'));
  pipeline = await startPipeline();
  await pipeline.upload(await sampleImages(120));
}, 120_000);

afterAll(async () => {
  await pipeline?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A way to credentials: what the environment says of it, and what is in the file that is mounted. */
interface Way {
  name: string;
  env(endpoint: string, file: string): Environment;
  file(newest: CredentialGuard['newest']): string;
}

const ways: Way[] = [
  {
    name: 'a role by a web identity (IRSA)',
    env: (endpoint, file) => ({
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/cutline',
      AWS_WEB_IDENTITY_TOKEN_FILE: file,
      AWS_ENDPOINT_URL_STS: endpoint,
    }),
    file: ({ token }) => token,
  },
  {
    name: 'an agent beside the pods (EKS Pod Identity)',
    env: (endpoint, file) => ({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoint}/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file,
    }),
    file: ({ token }) => token,
  },
  {
    name: 'a file of keys',
    env: (_, file) => ({ AWS_SHARED_CREDENTIALS_FILE: file }),
    file: ({ accessKeyId, secretAccessKey, sessionToken }) =>
      `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n` +
      `aws_session_token = ${sessionToken}\n`,
  },
];

test.each(ways)('$name', { timeout: 180_000 }, async ({ name, env, file: contents }) => {
  const run = `run-${ways.findIndex((way) => way.name === name)}`;
  const file = join(folder, run);
  /** As a mounted secret is replaced: at once. */
  const replace = async () => {
    await writeFile(`${file}.new`, contents(guard.newest));
    await rename(`${file}.new`, file);
  };
  let images = 0;
  const guard: CredentialGuard = await startCredentialGuard(pipeline.s3.endpoint, async (path) => {
    if (!path.startsWith('/archive/photo-') || ++images !== 50) return;
    guard.renew();
    await replace();
    guard.expire();
  });
  await replace();
  const access: Environment = {
    AWS_ENDPOINT_URL_S3: guard.endpoint,
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    ...env(guard.endpoint, file),
  };
  const workers = await Promise.all([
    pipeline.startWorker('encoder-worker', access),
    pipeline.startWorker('decoder-worker', access),
  ]);
  try {
    await untilDone(
      await pipeline.startCutline(
        ['run', 's3://archive', '--run', run, '--batch-size', '8'],
        access,
      ),
    );
    const results = await pipeline.results(run);
    expectToReconcile(results);
    expect(results.summary).toMatchObject({ images: 120, captioned: 120 });
    // No image had to wait for a later batch: those have parts of their own.
    expect(results.parts).toEqual(
      Array.from({ length: 15 }, (_, n) =>
        expect.stringMatching(`^0000${String(n).padStart(2, '0')}\\.`),
      ),
    );
    expect(images).toBeGreaterThan(120); // some were asked for twice
    expect(guard.counts.refused).toBeGreaterThan(0);
    // To each of three processes, before and after.
    if (name !== 'a file of keys') expect(guard.counts.given).toBeGreaterThanOrEqual(6);
  } finally {
    for (const worker of workers) await stopProcess(worker);
    await guard.stop();
  }
});
