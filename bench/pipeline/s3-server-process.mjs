// @ts-check

/**
 * The S3-protocol server in a process of its own, so that its CPU time is nobody else's. Any
 * request on stdin is answered with the number of HTTP requests so far, in all and by kind.
 */
import { subscribe } from 'node:diagnostics_channel';
import { startS3Server } from '../../scripts/s3-server.mjs';
import { serveLines } from '../serve-lines.mjs';

let requests = 0;
const kinds = { list: 0, get: 0, head: 0, put: 0, delete: 0 };
subscribe('http.server.request.start', (message) => {
  const { request } = /** @type {{ request: import('node:http').IncomingMessage }} */ (message);
  const { method = '', url = '' } = request;
  requests += 1;
  const kind = url.includes('list-type=2') ? 'list' : method.toLowerCase();
  if (kind in kinds) kinds[/** @type {keyof typeof kinds} */ (kind)] += 1;
});
const server = await startS3Server();
for (const bucket of ['archive', 'captions']) server.createBucket(bucket);
await serveLines({ endpoint: server.endpoint }, async () => ({ requests, kinds }));
await server.stop();
