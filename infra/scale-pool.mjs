// @ts-check

/**
 * A pool of workers on one machine that is as large as its work takes: asks Prometheus for
 * `cutline:pool_workers_wanted` (infra/prometheus/scaling.yml), starts workers and stops them. As KEDA
 * does in Kubernetes: at once where more are wanted, and fewer only where fewer were wanted for so
 * long; where Prometheus does not know, the pool stays as it is. A worker that ends is started again.
 *
 *     node infra/scale-pool.mjs encoder-worker|decoder-worker [--max 3] [--min 0]
 *       [--prometheus http://127.0.0.1:9090] [--first-port 9464] [--targets <file for Prometheus>]
 *
 * Workers take their settings from the environment, as always, and inherit its log.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const lookMs = 10_000;
/** Fewer are wanted for so long before there are fewer. */
const stableMs = 60_000;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    max: { type: 'string', default: '3' },
    min: { type: 'string', default: '0' },
    prometheus: { type: 'string', default: 'http://127.0.0.1:9090' },
    'first-port': { type: 'string', default: '9464' },
    targets: { type: 'string' },
  },
});
const [program = ''] = positionals;
const stage = { 'encoder-worker': 'encode', 'decoder-worker': 'decode' }[program];
const [min, max] = [Number(flags.min), Number(flags.max)];
if (!stage || !(min >= 0 && max >= Math.max(min, 1))) {
  process.stderr.write('usage: scale-pool.mjs encoder-worker|decoder-worker [--max n] [--min n]\n');
  process.exit(2);
}
const script = fileURLToPath(new URL(`../apps/${program}/dist/main.js`, import.meta.url));

/** @type {Map<number, import('node:child_process').ChildProcess>} by port */
const workers = new Map();
/** @type {{ at: number, wanted: number }[]} */
let wishes = [];
let isStopping = false;

/** @returns {Promise<number | undefined>} workers; undefined where nobody knows */
async function askWanted() {
  const query = new URLSearchParams({ query: `cutline:pool_workers_wanted{stage="${stage}"}` });
  try {
    const answer = await (await fetch(`${flags.prometheus}/api/v1/query?${query}`)).json();
    const value = answer.data?.result?.[0]?.value?.[1];
    return value === undefined ? undefined : Math.ceil(Number(value));
  } catch {
    return undefined;
  }
}

async function look() {
  const wanted = await askWanted();
  if (wanted === undefined || isStopping) return;
  const now = Date.now();
  wishes = [...wishes.filter(({ at }) => now - at < stableMs), { at: now, wanted }];
  const most = Math.max(...wishes.map((wish) => wish.wanted));
  const size = Math.min(max, Math.max(min, wanted > workers.size ? wanted : most));
  if (size === workers.size) return;
  process.stderr.write(`${program}: ${wanted} wanted, from ${workers.size} to ${size}\n`);
  const ports = Array.from({ length: size }, (_, n) => Number(flags['first-port']) + n);
  for (const [port, worker] of workers) {
    if (ports.includes(port)) continue;
    workers.delete(port);
    worker.kill('SIGTERM'); // it finishes what it has in hand
  }
  for (const port of ports) if (!workers.has(port)) start(port);
  tellPrometheus();
}

/** @param {number} port */
function start(port) {
  const worker = spawn(process.execPath, [script], {
    env: { ...process.env, CUTLINE_HTTP_PORT: String(port) },
    stdio: 'inherit',
  });
  workers.set(port, worker);
  worker.once('exit', () => {
    if (workers.get(port) !== worker || isStopping) return;
    workers.delete(port); // the next look starts another, if it is wanted
    tellPrometheus();
  });
}

function tellPrometheus() {
  if (!flags.targets) return;
  const targets = [...workers.keys()].map((port) => `127.0.0.1:${port}`);
  writeFileSync(flags.targets, `- targets: [${targets.join(', ')}]\n`);
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.once(signal, () => {
    isStopping = true;
    clearInterval(timer);
    for (const worker of workers.values()) worker.kill('SIGTERM');
  });
}
const timer = setInterval(() => void look(), lookMs);
tellPrometheus();
void look();
