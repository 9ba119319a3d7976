// @ts-check

/**
 * The whole pipeline on real photographs, in one command:
 *
 *     npm run demo                 nine public-domain archive photographs
 *     npm run demo -- ./my-photos  a folder of yours
 *
 * An S3-protocol server in this process has the photographs, where they lie, as a bucket; Redis, an
 * encoder-worker and a decoder-worker run as processes of their own, as they would on many machines.
 * The results are written to demo-output/ as they come, and stay there whatever ends the demo.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore, parseLocation } from '@cutline/shared/stores';
import { ChildProcesses } from './child-processes.mjs';
import { FileBucket } from './file-bucket.mjs';
import { beforeInterruption } from './interruption.mjs';
import { photographs } from './photographs.mjs';
import { startPrivateRedis } from './private-redis.mjs';
import { startS3Server } from './s3-server.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = 's3://captions';
const run = 'demo';

/**
 * @param {string[]} args
 * @param {string} outputFolder is emptied
 * @returns {Promise<number>} exit status
 */
export async function main(args, outputFolder = join(root, 'demo-output')) {
  const [folder, ...rest] = args;
  if (rest.length > 0 || folder?.startsWith('-')) {
    process.stderr.write('usage: npm run demo [-- folder]\n');
    return 2;
  }
  const archive = await openArchive(folder);
  if (typeof archive === 'string') {
    process.stderr.write(`${archive}\n`);
    return 2;
  }
  await makeEmpty(outputFolder);
  const children = new ChildProcesses();
  beforeInterruption(async () => {
    await children.endAtOnce();
    say(lastWords(outputFolder));
  });
  const s3 = await startS3Server();
  s3.createBucket('archive', archive);
  s3.createBucket('captions', new FileBucket(outputFolder));
  try {
    return await demonstrate({ count: archive.size, s3, children, outputFolder });
  } finally {
    await children.stopAll();
    await s3.stop();
  }
}

/**
 * @param {{ count: number, s3: { endpoint: string }, children: ChildProcesses,
 *   outputFolder: string }} context `count`: of files
 */
async function demonstrate({ count, s3: { endpoint }, children, outputFolder }) {
  const started = performance.now();
  const shownOutput = shown(outputFolder);
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'demo',
    AWS_SECRET_ACCESS_KEY: 'demo-secret',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    REDIS_URL: process.env.REDIS_URL ?? (await startPrivateRedis(children)),
    CUTLINE_HTTP_PORT: '0',
  };

  say(`${count} files are in s3://archive, on an S3 server at ${endpoint}.`);
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
  await mkdir(join(outputFolder, 'metrics'));
  for (const [name, url] of Object.entries(pages)) {
    const metrics = await (await fetch(url)).text();
    await writeFile(join(outputFolder, 'metrics', `${name}.txt`), metrics);
  }
  const page = join(shownOutput, 'gallery.html');
  say('');
  if ((await cutline('gallery', run, '--output', output, '-o', page)) !== 0) return 1;

  say(`
  Results   ${shownOutput}/runs/${run}/  (parts, manifest, summary.json)
  Gallery   ${page}  (open it in a browser; hover a word)
  Metrics   ${shownOutput}/metrics/  (what the workers' /metrics pages said)

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

/**
 * The bucket with the photographs, which stay where they lie.
 *
 * @param {string | undefined} folder of the user's
 * @returns {Promise<FileBucket | string>} or what is wrong
 */
async function openArchive(folder) {
  const archive = new FileBucket();
  if (folder === undefined) {
    for (const { name, path } of photographs()) archive.addFile(`${name}.jpg`, path);
    return archive;
  }
  // npm runs scripts in the project's folder; the path is relative to where the user stands.
  const path = resolve(process.env.INIT_CWD ?? '.', folder);
  if (!(await stat(path).catch(() => undefined))?.isDirectory()) {
    return `There is no folder ${path}.`;
  }
  const photos = await openStore(parseLocation(path).store);
  for await (const { key } of photos.list()) archive.addFile(key, join(path, key));
  return archive;
}

/** Empty; what people decided about the captions of an earlier demo is theirs, and moved aside. */
async function makeEmpty(/** @type {string} */ outputFolder) {
  if (existsSync(join(outputFolder, 'runs', run, 'reviews'))) {
    const aside = `${outputFolder}-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}`;
    await rename(outputFolder, aside);
    say(`The last demo's captions were reviewed: they are in ${shown(aside)}/ now.`);
  }
  await rm(outputFolder, { recursive: true, force: true });
  await mkdir(outputFolder);
}

/** Of a demo that was interrupted: where its captions are. */
function lastWords(/** @type {string} */ outputFolder) {
  const shownOutput = shown(outputFolder);
  const bars = process.stdout.isTTY ? '\u001b[?25h\n' : ''; // they had hidden the cursor
  const folder = join(outputFolder, 'runs', run, 'parts');
  const parts = existsSync(folder) ? readdirSync(folder).filter((name) => /jsonl$/.test(name)) : [];
  /** @type {Set<string>} */
  const captioned = new Set();
  for (const part of parts) {
    for (const line of readFileSync(join(folder, part), 'utf8').trim().split('\n')) {
      const row = JSON.parse(line);
      if (row.status === 'captioned') captioned.add(row.key);
    }
  }
  if (captioned.size === 0) return `${bars}Stopped, before there were captions.`;
  const captions = captioned.size === 1 ? 'The 1 caption' : `The ${captioned.size} captions`;
  return `${bars}Stopped. ${captions} so far: ${shownOutput}/runs/${run}/parts/
Read them:  npx cutline results ${run} --output ${shownOutput}`;
}

/** As the user, who stands in the project's folder, can type it. @param {string} folder */
function shown(folder) {
  return relative(process.cwd(), folder) || folder;
}

function say(/** @type {string} */ text) {
  process.stdout.write(`${text}\n`);
}
