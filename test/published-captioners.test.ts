import { existsSync } from 'node:fs';
import { chmod, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FakeHub } from '../packages/checkpoints/test/support/fake-hub.ts';
import { global, pickle, reduce, text } from '../packages/checkpoints/test/support/pickle-code.ts';
import { zipArchive } from '../packages/checkpoints/test/support/zip-archive.ts';
import { type Pipeline, startPipeline } from './support/pipeline.ts';

/**
 * A published captioner's way, as a user goes it: added, listed, and captioning in one process and
 * in two. What it computes is tested with the engines.
 */

const published = fileURLToPath(new URL('../../shared/golden/captioners/', import.meta.url));
const families = ['blip', 'git', 'vitgpt2'];
const minutes = { timeout: 300_000 };

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
      for (const family of families) {
        for (const name of await readdir(join(published, family))) {
          if (!name.endsWith('.png')) continue;
          const drawing = await readFile(join(published, family, name));
          await pipeline.source.put(`${family}/${name}`, drawing);
        }
      }
    });
    afterAll(async () => {
      await pipeline?.stop();
      await rm(home, { recursive: true, force: true });
    });

    test.each(families)('%s: both stages say what one process says', minutes, async (name) => {
      const added = await pipeline.succeed('model', 'add', join(published, name));
      expect(added.stdout).toContain(`cutline caption <images> --model ${name}`);
      expect(added.stdout).toMatch(/ {2}speed +an image took one thread here 0.\d+ s to encode /);
      expect((await pipeline.succeed('model', 'list')).stdout.split('\n')).toContain(name);

      const source = `s3://archive/${name}/`;
      const flags = ['--model', name, '--attention'];
      const alone = await pipeline.succeed('caption', source, ...flags, '--json');
      const inOne = alone.stdout.split('\n').map((line) => JSON.parse(line));
      // By default as the reference does it: three beams, twenty tokens.
      const { generate } = JSON.parse(
        await readFile(join(published, name, 'expected.json'), 'utf8'),
      );
      const best = generate.beam3.text.filter((_: string, index: number) => index % 3 === 0);
      expect(inOne.map(({ caption }) => caption)).toEqual(best);

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

      const prompted = ['caption', source, '--model', name, '--limit', '1', '--json', '--prompt'];
      const begun = JSON.parse((await pipeline.succeed(...prompted, 'there is a')).stdout);
      expect(begun.caption).toMatch(/^there is a /);
      await pipeline.succeed('model', 'remove', name);
      expect((await pipeline.succeed('model', 'list')).stdout.split('\n')).not.toContain(name);
    });

    test.each<[string, (folder: string) => Promise<unknown>, RegExp]>([
      [
        'an architecture that is not known',
        (folder) => writeFile(join(folder, 'config.json'), '{"model_type":"llava"}'),
        /its architecture \(llava\) is not known here; captioners of BLIP/,
      ],
      [
        'weights that end early',
        async (folder) => {
          const path = join(folder, 'model.safetensors');
          await writeFile(path, (await readFile(path)).subarray(0, 200_000));
        },
        /model\.safetensors/,
      ],
      [
        'a pickle that would run something',
        async (folder) => {
          await rm(join(folder, 'model.safetensors'));
          const code = pickle(reduce(global('os', 'system'), text('touch /tmp/was-here')));
          const archive = zipArchive([{ name: 'model/data.pkl', contents: code }]);
          await writeFile(join(folder, 'pytorch_model.bin'), archive);
        },
        /names 'os\.system'/,
      ],
      [
        'weights of other sizes than its configuration says',
        async (folder) => {
          const path = join(folder, 'config.json');
          const config = JSON.parse(await readFile(path, 'utf8'));
          config.text_config.intermediate_size = 64;
          await writeFile(path, JSON.stringify(config));
        },
        /decoder\.safetensors: 'layer0\.feed\.inner/,
      ],
    ])('%s is refused in one line, and nothing is left', async (_, damage, message) => {
      const folder = join(home, 'damaged');
      await cp(join(published, 'blip'), folder, { recursive: true });
      await chmod(folder, 0o755);
      for (const name of await readdir(folder)) await chmod(join(folder, name), 0o644);
      try {
        await damage(folder);
        expect(await pipeline.refuse('model', 'add', folder)).toMatch(message);
        expect((await pipeline.succeed('model', 'list')).stdout).not.toContain('damaged');
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    test('an encoder that multiplies bytes says the same of drawings, in a third of the file', async () => {
      const source = join(published, 'vitgpt2');
      await pipeline.succeed('model', 'add', source);
      const added = await pipeline.succeed('model', 'add', source, '--precision', 'int8');
      expect(added.stdout).toMatch(/^vitgpt2-int8@/m);
      const texts = async (model: string) => {
        const flags = ['--model', model, '--json'];
        const { stdout } = await pipeline.succeed('caption', 's3://archive/vitgpt2/', ...flags);
        return stdout.split('\n').map((line) => JSON.parse(line).caption);
      };
      expect(await texts('vitgpt2-int8')).toEqual(await texts('vitgpt2'));
      const onGpu = await pipeline.refuse(
        ...['caption', 's3://archive/vitgpt2/', '--model', 'vitgpt2-int8', '--device', 'gpu'],
      );
      expect(onGpu).toMatch(/^cutline: The encoder of .* for CPUs: .*$/);
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
