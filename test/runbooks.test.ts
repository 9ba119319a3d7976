import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCompose } from './support/infra-compose.ts';
import { systemdFolder } from './support/infra-systemd.ts';
import { type Pipeline, startPipeline, untilDone } from './support/pipeline.ts';
import { startProcess, stopProcess } from './support/processes.ts';
import { freePort } from './support/redis-server.ts';
import { sampleImages } from './support/sample-images.ts';

/**
 * What the runbooks tell to type does what they say: run, over a run that is finished and has
 * failures in it, and over others that nobody sees to their end. What needs Docker, Kubernetes or
 * systemd is held to the names that there are.
 */

const folder = fileURLToPath(new URL('../docs/runbooks/', import.meta.url));
const pages = readdirSync(folder).filter((name) => name !== 'README.md');

interface Told {
  page: string;
  command: string;
}

/** In blocks, line by line, and in sentences. */
const told: Told[] = pages.flatMap((page) => {
  const text = readFileSync(join(folder, page), 'utf8');
  const blocks = [...text.matchAll(/^```\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
    block.trim().split('\n'),
  );
  const programs = /^(npx|redis-cli|curl|docker|kubectl|systemctl|journalctl|uptime|vmstat)\b/;
  const inSentences = [...text.matchAll(/`([^`\n]+)`/g)]
    .map(([, command = '']) => command)
    .filter((command) => programs.test(command) && /\s/.test(command));
  return [...new Set([...blocks, ...inSentences])].map((command) => ({ page, command }));
});
/** Each once, whichever pages have it. */
const those = (pattern: RegExp) =>
  told.filter(
    ({ command }, n) =>
      pattern.test(command) && told.findIndex((each) => each.command === command) === n,
  );

const ofCutline = those(/^npx cutline /);
const ofRedis = those(/^redis-cli /);
const ofPages = those(/^curl /);
const ofOthers = those(/^(docker compose|kubectl|systemctl|journalctl|vmstat) /);

test('every command is one of those that are tried here', () => {
  const tried = [ofCutline, ofRedis, ofPages, ofOthers].flat().map(({ command }) => command);
  expect(told.filter(({ command }) => !tried.includes(command))).toEqual([]);
  expect(tried.length).toBeGreaterThan(15);
});

const services = Object.keys(readCompose('compose.yaml').services);

test.each(ofOthers)('$page: $command names what there is', ({ command }) => {
  const [program = '', ...words] = command.split(' ');
  if (program === 'docker') {
    const scaled = words.filter((word) => word.includes('=')).map((word) => word.split('=')[0]);
    const named = words.slice(2).filter((word) => /^[a-z][\w-]*$/.test(word));
    for (const name of [...scaled, ...named]) expect(services).toContain(name);
    expect(scaled.length + named.length).toBeGreaterThan(0);
  } else if (program === 'journalctl') {
    const [, unit = ''] = /--unit '([^']+)@\*'/.exec(command) ?? [];
    expect(existsSync(join(systemdFolder, `${unit}@.service`)), unit).toBe(true);
  } else if (program === 'kubectl') {
    const [, namespace] = /--namespace (\S+)/.exec(command) ?? [];
    const base = new URL('../infra/kubernetes/base/namespace.yaml', import.meta.url);
    expect(readFileSync(base, 'utf8')).toContain(`name: ${namespace}`);
  } else if (program === 'systemctl') {
    expect(command).toBe('systemctl start redis-server'); // Debian's name of it
  } else {
    expect(command).toBe('vmstat 1 5'); // of procps
  }
});

describe('what the runbooks tell to type', () => {
  let pipeline: Pipeline;
  let work: string;
  let exporterPort: number;
  let workerPort: number;
  /** Runs that somebody began and left. */
  const left: string[] = [];

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'cutline-runbooks-'));
    [exporterPort, workerPort] = [await freePort(), await freePort()];
    pipeline = await startPipeline({ redisArgs: ['--maxmemory', '256mb'] });
    const good = [...(await sampleImages(30))];
    await pipeline.upload([...good, ['broken.jpg', Buffer.from('no image')]], 'some/');
    const abandoned = ofCutline.filter(({ command }) => / (cancel|resume) /.test(command)).length;
    for (let n = 0; n < abandoned; n++) await abandon(`left-${n}`);
    const port = { CUTLINE_HTTP_PORT: String(workerPort) };
    await pipeline.startWorker('encoder-worker', port);
    await pipeline.startWorker('decoder-worker');
    await untilDone(await pipeline.startProducer(['s3://archive/some/', '--run', 'ended']));
  }, 180_000);

  afterAll(async () => {
    await pipeline?.stop();
    await rm(work, { recursive: true, force: true });
  });

  async function abandon(run: string): Promise<void> {
    const producer = await pipeline.startProducer(['s3://archive/some/', '--run', run]);
    await producer.waitForLine(/"msg":"producing"/, 60_000);
    await stopProcess(producer);
    left.push(run);
  }

  /** Runs a line of a page as a shell does, with what stands for something in its place. */
  async function type(command: string, run: string) {
    const line = command
      .replaceAll('<run>', run)
      .replaceAll('<worker>:9464', `127.0.0.1:${workerPort}`)
      .replaceAll('127.0.0.1:9464', `127.0.0.1:${exporterPort}`)
      .replace(/ page\.html$/, ` ${join(work, 'page.html')}`);
    if (line.startsWith('npx cutline ')) {
      return pipeline.cutline(...line.slice('npx cutline '.length).split(' '));
    }
    const shell = await startProcess({
      ...{ command: 'sh', args: ['-c', line], env: { REDIS_URL: pipeline.redis.url } },
    });
    const { code } = await shell.exited;
    return { code, stdout: shell.stdout.join('\n'), stderr: shell.stderr.join('\n') };
  }

  test('an exporter answers whoever asks it', async () => {
    const command = ofCutline.find(({ command }) => command.includes(' exporter '))?.command ?? '';
    const args = command.split(' ').slice(2);
    const exporter = await pipeline.startCutline(args, { CUTLINE_HTTP_PORT: String(exporterPort) });
    await exporter.waitForLine(/"httpPort":/, 60_000);
    for (const { page, command } of ofPages) {
      const { code, stdout } = await type(command, 'ended');
      expect({ page, command, code, stdout }).toEqual({ page, command, code: 0, stdout: 'ok' });
    }
    await stopProcess(exporter);
  });

  const hasRedisCli = spawnSync('redis-cli', ['--version']).status === 0;
  test.skipIf(!hasRedisCli).each(ofRedis)('$page: $command', async ({ command }) => {
    const { code, stdout } = await type(command, 'ended');
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/^PONG$|^OK$|^used_memory:|^role:|^rdb_last_bgsave|Biggest/m);
  });

  test('of a run that is finished', { timeout: 180_000 }, async () => {
    const ended = ofCutline.filter(
      ({ command }) => !/ (exporter|cancel|resume|retry) /.test(command),
    );
    const typed = ended.map(async ({ page, command }) => {
      const { code, stdout, stderr } = await type(command, 'ended');
      expect(code, `${page}: ${command}: ${stderr}`).toBe(0);
      if (command.includes(' results ')) expect(stdout).toContain('"class":"unsupported"');
      if (command.includes(' status ')) expect(stdout).toMatch(/failed +1 {2}\(unsupported 1\)/);
    });
    await Promise.all(typed);
    expect(existsSync(join(work, 'page.html'))).toBe(true);
    for (const { command } of ofCutline.filter(({ command }) => / retry /.test(command))) {
      expect((await type(command, 'ended')).code).toBe(0);
    }
  });

  test('of runs that nobody sees to their end', { timeout: 180_000 }, async () => {
    const lines = ofCutline.filter(({ command }) => / (cancel|resume) /.test(command));
    for (const [n, { page, command }] of lines.entries()) {
      const run = left[n] as string;
      const { code, stderr } = await type(command, run);
      expect(code, `${page}: ${command}: ${stderr}`).toBe(0);
      const { summary } = await pipeline.results(run);
      expect(summary !== undefined, command).toBe(command.includes(' resume '));
    }
  });
});
