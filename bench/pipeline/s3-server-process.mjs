// @ts-check

/**
 * The S3-protocol server in a process of its own, so that its CPU time is nobody else's. Any
 * request on stdin is answered with the number of HTTP requests so far.
 */
import { subscribe } from 'node:diagnostics_channel';
import { startS3Server } from '../../scripts/s3-server.mjs';
import { serveLines } from '../serve-lines.mjs';

let requests = 0;
subscribe('http.server.request.start', () => {
  requests += 1;
});
const server = await startS3Server();
for (const bucket of ['archive', 'captions']) server.createBucket(bucket);
await serveLines({ endpoint: server.endpoint }, async () => ({ requests }));
await server.stop();
