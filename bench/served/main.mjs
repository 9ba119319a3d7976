// @ts-check

/**
 * What Cutline itself costs where the model is behind a server, and how many questions at a time
 * keep one busy: photographs from a folder are fetched, prepared and asked about at a server that
 * only waits. docs/SERVERS.md has the table.
 *
 *     node bench/served/main.mjs <folder of photographs> [seconds a row]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ChatServer, everything, servedEncodeStage, summariseServed } from '@cutline/inference';
import { listImages } from '@cutline/shared/listing';
import { Metrics } from '@cutline/shared/process';
import { openStore, parseLocation } from '@cutline/shared/stores';
import { describeMachine } from '../describe-machine.mjs';
import { alignColumns, formatNumber } from '../format-text.mjs';

const [folder, seconds = '10'] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('node bench/served/main.mjs <folder of photographs> [seconds a row]\n');
  process.exit(2);
}
const { store: location, prefix } = parseLocation(folder);
const store = await openStore(location);
const everyImage = { keysFrom: null, include: [], exclude: [], limit: null, sample: null };
/** @type {import('@cutline/shared/run').ImageRef[]} */
const images = [];
for await (const image of listImages({ store, prefix }, everyImage)) {
  if (!image.skipped) images.push(image);
}

const { cpu, cores } = describeMachine();
process.stdout.write(
  `${cpu}, ${cores} cores; ${images.length} photographs, sent at 1024 pixels\n\n`,
);
const rows = [];
for (const [slots, latencyMs, concurrency] of [
  [1024, 0, 16],
  [16, 500, 4],
  [16, 500, 16],
  [16, 500, 32],
]) {
  const { rate, cpuMs, busy } = await measure(
    Number(slots),
    Number(latencyMs),
    Number(concurrency),
  );
  rows.push([
    latencyMs === 0 ? 'at once' : `${slots} at a time, ${latencyMs} ms each`,
    String(concurrency),
    formatNumber(rate),
    formatNumber(cpuMs),
    formatNumber(busy),
  ]);
}
const head = [
  'the server answers',
  'asked at a time',
  'images/s',
  'CPU ms an image',
  'waiting for it',
];
process.stdout.write(`${alignColumns([head, ...rows])}\n`);
store.close();

/** @param {number} slots @param {number} latencyMs @param {number} concurrency */
async function measure(slots, latencyMs, concurrency) {
  const program = fileURLToPath(new URL('./slow-server.mjs', import.meta.url));
  const server = spawn(process.execPath, [program, String(slots), String(latencyMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = await once(createInterface(server.stdout), 'line');
  const url = `http://127.0.0.1:${port}/v1`;
  const model = summariseServed({
    formatVersion: 4,
    kind: 'server',
    name: 'slow',
    description: 'It waits.',
    server: { protocol: 'openai', url, model: 'slow', apiKeyVariable: null },
    image: { sideMax: 1024, jpegQuality: 85 },
    prompt: 'What is in {key}?',
    answer: { format: 'text', tokensMax: 200 },
    request: everything,
    price: null,
    measured: null,
    licence: 'none',
  });
  const limits = {
    ...{ fetchConcurrency: 16, fetchAttempts: 4, retryBaseMs: 250 },
    ...{ imageBytesMax: 1e8, imagePixelsMax: 2e8, decodeTimeoutMs: 30_000 },
  };
  const metrics = new Metrics();
  const asked = new ChatServer({ url, timeoutMs: 60_000 });
  const stage = servedEncodeStage(model, asked, { limits, metrics, concurrency });
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  let done = 0;
  // Two batches in hand, as an encoder-worker has them.
  const encode = async () => {
    while (performance.now() - started < Number(seconds) * 1000) {
      const batch = Array.from({ length: 64 }, (_, n) => images[(done + n) % images.length]);
      const wanted = batch.flatMap((image) => (image ? [image] : []));
      const { outcomes } = await stage.encode(wanted, store);
      done += outcomes.filter(({ status }) => status === 'encoded').length;
    }
  };
  await Promise.all([encode(), encode()]);
  const elapsed = (performance.now() - started) / 1000;
  const { seconds: busySeconds, threads } = stage.busy();
  const busy = busySeconds / threads / elapsed;
  const { user, system } = process.cpuUsage(cpuBefore);
  server.kill();
  return { rate: done / elapsed, cpuMs: (user + system) / 1000 / done, busy };
}
