import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCaptioner, createEngine, type ModelBundle } from '@cutline/captioner';
import { defaultBundleFolder, loadModelBundle, openEngineCache } from '@cutline/inference';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cutline-cache-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (text: string) => (path: string) => writeFile(join(path, 'text'), text);

describe('the cache', () => {
  it('finds what was added, under its name', async () => {
    const cache = openEngineCache(join(folder, 'made'));
    expect(await cache.find('a.onnx')).toBeUndefined();
    const path = await cache.add('a.onnx', write('graph'));
    expect(await cache.find('a.onnx')).toBe(path);
    expect(await readFile(join(path as string, 'text'), 'utf8')).toBe('graph');
  });

  it('leaves nothing behind of what could not be written', async () => {
    const cache = openEngineCache(folder);
    const failing = async (path: string) => {
      await writeFile(join(path, 'text'), 'half');
      throw new Error('no space left');
    };
    expect(await cache.add('a.onnx', failing)).toBeUndefined();
    expect(await readdir(folder)).toEqual([]);
  });

  it('replaces what is there', async () => {
    const cache = openEngineCache(folder);
    await cache.add('a.onnx', write('damaged'));
    const path = await cache.add('a.onnx', write('whole'));
    expect(await readFile(join(path as string, 'text'), 'utf8')).toBe('whole');
    expect(await readdir(folder)).toEqual(['a.onnx']);
  });

  it('keeps nothing where it cannot write', async () => {
    await writeFile(join(folder, 'file'), '');
    const cache = openEngineCache(join(folder, 'file', 'inside'));
    expect(await cache.add('a.onnx', write('graph'))).toBeUndefined();
    expect(await cache.find('a.onnx')).toBeUndefined();
  });

  it('removes what nobody asked for in a month, and keeps what somebody did', async () => {
    const cache = openEngineCache(folder);
    const longAgo = new Date(Date.now() - 31 * 24 * 3600 * 1000);
    for (const name of ['old.onnx', 'used.onnx']) {
      await utimes((await cache.add(name, write(name))) as string, longAgo, longAgo);
    }
    await mkdir(join(folder, 'models'));
    await utimes(join(folder, 'models'), longAgo, longAgo); // somebody else's
    await cache.find('used.onnx');
    await cache.add('new.onnx', write('new'));
    expect((await readdir(folder)).sort()).toEqual(['models', 'new.onnx', 'used.onnx']);
  });
});

describe('onnx sessions', () => {
  const pixels = new Uint8Array(2 * 224 * 224 * 3).map((_, i) => (i * 7919) % 251);
  const caption = async (bundle: ModelBundle, cached: boolean) => {
    const { engine } = await createEngine('onnx', {
      device: 'cpu',
      ...(cached && { cache: openEngineCache(folder) }),
    });
    const captioner = await createCaptioner(engine, bundle);
    const captions = await captioner.caption(pixels, 2);
    engine.dispose();
    return captions;
  };

  it('say the same from the cache, from a damaged one, and without one', async () => {
    const bundle = await loadModelBundle(defaultBundleFolder());
    const expected = await caption(bundle, false);
    expect(await readdir(folder)).toEqual([]);

    expect(await caption(bundle, true)).toEqual(expected);
    const names = (await readdir(folder)).sort();
    expect(names).toHaveLength(3); // the encoder, a decoder's start and its step
    for (const name of names)
      expect(name).toMatch(/^mobilenet-.*@[0-9a-f]{12}-.*-ort-1\..*\.onnx$/);
    expect(await caption(bundle, true)).toEqual(expected);
    expect((await readdir(folder)).sort()).toEqual(names);

    const files = names.flatMap((name) => [`${name}/graph.onnx`, `${name}/weights`]);
    for (const damaged of [files, files.filter((name) => name.endsWith('weights'))]) {
      for (const name of damaged) await writeFile(join(folder, name), 'damaged');
      expect(await caption(bundle, true)).toEqual(expected);
      const sizes = await Promise.all(
        files.map(async (name) => (await stat(join(folder, name))).size),
      );
      expect(Math.min(...sizes)).toBeGreaterThan(1000);
    }
  });

  it('are not taken for those of another model', async () => {
    const bundle = await loadModelBundle(defaultBundleFolder());
    await caption(bundle, true);
    await caption({ ...bundle, id: 'another@000000000000' }, true);
    expect(await readdir(folder)).toHaveLength(6);
  });
});
