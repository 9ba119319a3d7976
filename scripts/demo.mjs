// @ts-check

/**
 * The whole pipeline on real photographs, in one command:
 *
 *     npm run demo                 nine public-domain archive photographs
 *     npm run demo -- ./my-photos  a folder of yours
 *
 * An S3-protocol server in this process holds the bucket; Redis, an encoder-worker and a
 * decoder-worker run as processes of their own, as they would on many machines. The results are
 * left in demo-output/.
 */
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore, parseLocation } from '@cutline/shared/stores';
import { ChildProcesses } from './child-processes.mjs';
import { photographs } from './photographs.mjs';
import { startPrivateRedis } from './private-redis.mjs';
import { startS3Server } from './s3-server.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const outputFolder = join(root, 'demo-output');
const output = 's3://captions';
const run = 'demo';

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit status
 */
export async function main(args) {
  const [folder, ...rest] = args;
  if (rest.length > 0 || folder?.startsWith('-')) {
    process.stderr.write('usage: npm run demo [-- folder]\n');
    return 2;
  }
  const children = new ChildProcesses();
  const s3 = await startS3Server();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
  try {
    return await demonstrate(folder, s3, children);
  } finally {
    await children.stopAll();
    await s3.stop();
  }
}

/**
 * @param {string | undefined} folder
 * @param {Awaited<ReturnType<typeof startS3Server>>} s3
 * @param {ChildProcesses} children
 */
async function demonstrate(folder, s3, children) {
  const started = performance.now();
  s3.createBucket('archive');
  s3.createBucket('captions');
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'demo',
    AWS_SECRET_ACCESS_KEY: 'demo-secret',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    REDIS_URL: process.env.REDIS_URL ?? (await startPrivateRedis(children)),
    CUTLINE_HTTP_PORT: '0',
  };
  Object.assign(process.env, env);

  const count = await upload(folder);
  say(`${count} files are in s3://archive, on an S3-protocol server at ${s3.endpoint}.`);
  const pages = await startWorkers(children, env);
  say('An encoder-worker and a decoder-worker are ready.\n');

  const cutline = (/** @type {string[]} */ ...args) =>
    children.run(process.execPath, [join(root, 'apps/cutline/bin/cutline.js'), ...args], { env });
  const status = await cutline(
    'run',
    's3://archive/',
    '--output',
    output,
    '--run',
    run,
    '--attention',
  );
  if (status !== 0) return status;
  say('');
  await cutline('results', run, '--output', output, '--limit', '50');
  await rm(outputFolder, { recursive: true, force: true });
  await mkdir(outputFolder);
  await download();
  for (const [name, url] of Object.entries(pages)) {
    const metrics = await (await fetch(url)).text();
    const { store } = parseLocation(outputFolder);
    await (await openStore(store)).put(`metrics/${name}.txt`, Buffer.from(metrics));
  }
  const shown = relative(process.cwd(), outputFolder) || outputFolder;
  const page = join(shown, 'gallery.html');
  say('');
  if ((await cutline('gallery', run, '--output', output, '-o', page)) !== 0) return 1;

  say(`
  Results   ${shown}/runs/${run}/  (parts, manifest, summary.json)
  Gallery   ${page}  (open it in a browser; hover a word)
  Metrics   ${shown}/metrics/  (what the workers' /metrics pages said)

The model that ships is small, for trying Cutline out, and licensed for research
and education only. What it knows, what it still gets wrong and what its scores
tell is in models/mobilenet-v2-show-attend-tell-broad/README.md.
Try your own:  npm run demo -- ./my-photos
Done in ${((performance.now() - started) / 1000).toFixed(0)} s.`);
  return 0;
}

/**
 * @param {ChildProcesses} children
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Record<string, string>>} the URLs of their metrics pages
 */
async function startWorkers(children, env) {
  const workers = ['encoder-worker', 'decoder-worker'];
  const lines = await Promise.all(
    workers.map((name) =>
      children.start(name, process.execPath, [join(root, `apps/${name}/dist/main.js`)], {
        env,
        ready: /"msg":"ready/,
      }),
    ),
  );
  return Object.fromEntries(
    workers.map((name, index) => {
      const { httpPort } = JSON.parse(lines[index] ?? '{}');
      return [name, `http://127.0.0.1:${httpPort}/metrics`];
    }),
  );
}

/** Puts the photographs into the bucket. @param {string | undefined} folder */
async function upload(folder) {
  const archive = await openStore('s3://archive');
  if (folder === undefined) {
    for (const { name, path } of photographs()) {
      await archive.put(`${name}.jpg`, await readFile(path));
    }
    return photographs().length;
  }
  // npm runs scripts in the project's folder; the path is relative to where the user stands.
  const path = resolve(process.env.INIT_CWD ?? '.', folder);
  if (!(await stat(path).catch(() => undefined))?.isDirectory()) {
    throw new Error(`There is no folder ${path}.`);
  }
  const photos = await openStore(parseLocation(path).store);
  let count = 0;
  for await (const { key } of photos.list()) {
    await archive.put(key, (await photos.get(key)).bytes);
    count += 1;
  }
  return count;
}

/** Keeps what the run left in the bucket: the server forgets it when the demo ends. */
async function download() {
  const captions = await openStore(output);
  const folder = await openStore(parseLocation(outputFolder).store);
  for await (const { key } of captions.list()) {
    await folder.put(key, (await captions.get(key)).bytes);
  }
}

function say(/** @type {string} */ text) {
  process.stdout.write(`${text}\n`);
}
