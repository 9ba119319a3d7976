import { S3Client } from '@aws-sdk/client-s3';
import type { StoreConfig } from '@cutline/shared/stores';
import { startS3Server } from '../../scripts/s3-server.mjs';

/** An S3-protocol server of a test file's own, in this process, empty and in memory. */
export interface S3Server {
  readonly endpoint: string;
  /** For `openStore`. */
  readonly config: StoreConfig;
  /** The same for a process, which reads it from its environment. */
  readonly env: Record<string, string>;
  /** For what `ObjectStore` cannot do. */
  readonly client: S3Client;
  /** @returns the bucket's URL, `s3://<name>` */
  createBucket(name: string): string;
  stop(): Promise<void>;
}

const credentials = { accessKeyId: 'test', secretAccessKey: 'test-secret' };

/** @param options.conditions false: a server that ignores the conditions of puts */
export async function startS3(options: { conditions?: boolean } = {}): Promise<S3Server> {
  const server = await startS3Server(options);
  const { config, env } = s3Access(server.endpoint);
  const client = new S3Client({
    endpoint: server.endpoint,
    credentials,
    region: 'us-east-1',
    forcePathStyle: true,
  });
  return {
    endpoint: server.endpoint,
    config,
    env,
    client,
    createBucket(name) {
      server.createBucket(name);
      return `s3://${name}`;
    },
    async stop() {
      client.destroy();
      await server.stop();
    },
  };
}

/** How to reach an endpoint: the server's, or that of a proxy in front of it. */
export function s3Access(endpoint: string): Pick<S3Server, 'config' | 'env'> {
  return {
    config: { endpoint, credentials },
    env: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
  };
}
