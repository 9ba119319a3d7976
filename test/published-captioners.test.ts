import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FakeHub } from '../packages/checkpoints/test/support/fake-hub.ts';
import { type Pipeline, startPipeline } from './support/pipeline.ts';

/**
 * A published captioner's way, as a user goes it: added, listed, and captioning in one process and
 * in two. What it computes is tested with the engines.
 */

const published = fileURLToPath(new URL('../../shared/golden/captioners/', import.meta.url));
const families = ['blip', 'git', 'vitgpt2'];

describe.skipIf(!existsSync(published))(
  existsSync(published) ? 'published captioners' : `NOT TESTED: ${published} is not there`,
  () => {
    let home: string;
    let pipeline: Pipeline;

    beforeAll(async () => {
      home = await mkdtemp(join(tmpdir(), 'cutline-home-'));
      pipeline = await startPipeline({
        env: { XDG_CACHE_HOME: home, CUTLINE_MODEL: undefined },
      });
      const drawings = join(published, 'blip');
      for (const name of await readdir(drawings)) {
        if (!name.endsWith('.png')) continue;
        await pipeline.source.put(`drawings/${name}`, await readFile(join(drawings, name)));
      }
    });
    afterAll(async () => {
      await pipeline?.stop();
      await rm(home, { recursive: true, force: true });
    });

    test.each(families)('%s: both stages say what one process says', async (name) => {
      const added = await pipeline.succeed('model', 'add', join(published, name));
      expect(added.stdout).toContain(`cutline caption <images> --model ${name}`);
      expect((await pipeline.succeed('model', 'list')).stdout.split('\n')).toContain(name);

      const source = 's3://archive/drawings/';
      const flags = ['--model', name, '--attention'];
      const alone = await pipeline.succeed('caption', source, ...flags, '--json');
      const inOne = alone.stdout.split('\n').map((line) => JSON.parse(line));
      expect(inOne.map(({ status }) => status)).toEqual(Array(6).fill('captioned'));

      const env = { CUTLINE_MODEL: name };
      const workers = [
        await pipeline.startWorker('encoder-worker', env),
        await pipeline.startWorker('decoder-worker', env),
      ];
      await pipeline.succeed('run', source, '--run', name, ...flags);
      const { rows, problems } = await pipeline.results(name);
      expect(problems).toEqual([]);
      const said = (row: Record<string, unknown>) => [row.caption, row.score, row.attention];
      expect(rows.map((row) => said({ ...row }))).toEqual(inOne.map(said));
      for (const worker of workers) worker.kill('SIGTERM');
      await Promise.all(workers.map(({ exited }) => exited));

      await pipeline.succeed('model', 'remove', name);
      expect((await pipeline.succeed('model', 'list')).stdout.split('\n')).not.toContain(name);
    });

    test('one is added from the hub, pinned to its commit, and a second time without it', async () => {
      const names = await readdir(join(published, 'blip'));
      const files = await Promise.all(
        names.map(async (name) => {
          const contents = await readFile(join(published, 'blip', name));
          return [name, { contents, isLarge: name.endsWith('.safetensors') }] as const;
        }),
      );
      const commit = 'a'.repeat(40);
      const hub = await FakeHub.start({
        'a-museum/blip-image-captioning-tiny': {
          commit,
          files: Object.fromEntries(files),
          cardData: { license: 'bsd-3-clause' },
        },
      });
      const env = { HF_ENDPOINT: hub.endpoint, HF_HOME: join(home, 'hf') };
      const add = async (more: Record<string, string> = {}) => {
        const args = ['model', 'add', 'a-museum/blip-image-captioning-tiny'];
        const { exited, stdout, stderr } = await pipeline.startCutline(args, { ...env, ...more });
        const { code } = await exited;
        return { code, stdout: stdout.join('\n'), stderr: stderr.join('\n') };
      };
      const first = await add();
      expect(first.code, first.stderr).toBe(0);
      expect(first.stdout).toMatch(/^blip-tiny@/m);
      expect(first.stdout).toContain('bsd-3-clause');
      expect(first.stdout).toContain(commit);
      // What is no part of a captioner is left where it is.
      expect([...hub.sentBytes.keys()].filter((name) => name.endsWith('.png'))).toEqual([]);

      hub.stop();
      const second = await add({ HF_HUB_OFFLINE: '1' });
      expect(second.code, second.stderr).toBe(0);
      expect(second.stdout.split('\n')[0]).toBe(first.stdout.split('\n')[0]);

      const third = await add({ HF_HOME: join(home, 'empty'), HF_HUB_OFFLINE: '1' });
      expect(third.code).toBe(2);
      expect(third.stderr.split('\n')).toHaveLength(1);
    });
  },
);
