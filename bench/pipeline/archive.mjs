// @ts-check

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore } from '@cutline/shared/stores';
import { inParallel } from '../in-parallel.mjs';
import { LineProcess } from '../line-process.mjs';
import { readImages } from '../read-images.mjs';

/** @import { Requests } from '@cutline/pipeline' */

/** @typedef {Awaited<ReturnType<typeof startArchive>>} Archive */

/**
 * An S3-protocol server with `s3://archive`, which holds the images of a folder, and
 * `s3://captions`, which is empty.
 *
 * @param {string} folder
 */
export async function startArchive(folder) {
  const program = fileURLToPath(new URL('./s3-server-process.mjs', import.meta.url));
  const lines = new LineProcess(process.execPath, [program]);
  const { endpoint } = await lines.first();
  const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench-secret' };
  const config = { endpoint, credentials, region: 'us-east-1' };
  const archive = await openStore('s3://archive', config);
  const images = await readImages(folder);
  await inParallel(images, ({ name, bytes }) => archive.put(name, bytes), 8);
  archive.close();
  return {
    source: 's3://archive',
    output: 's3://captions',
    images: images.length,
    /** For processes that use it. */
    env: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
    /** @returns {Promise<number>} so far */
    requests: async () => (await lines.ask({})).requests,
    /** @returns {Promise<Requests>} so far */
    requestsByKind: async () => (await lines.ask({})).kinds,
    stop: () => lines.stop(),
  };
}

/**
 * The same with folders: what is left when the store costs nothing.
 *
 * @param {string} folder of images
 * @param {string} output folder, is made
 * @param {number} images
 * @returns {Archive}
 */
export function folderArchive(folder, output, images) {
  return {
    source: folder,
    output: join(output, 'captions'),
    images,
    env: /** @type {Archive['env']} */ ({}),
    requests: async () => 0,
    requestsByKind: async () => ({ list: 0, get: 0, head: 0, put: 0, delete: 0 }),
    stop: async () => {},
  };
}
