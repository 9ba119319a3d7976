/** ONNX Runtime would report its use. What it leaves in the user's folders shows whether it does. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('computing with onnx leaves the model’s cache in the user’s folders, and nothing else', async () => {
  const home = await mkdtemp(join(tmpdir(), 'cutline-home-'));
  try {
    const program = `
      import { defaultBundleFolder, startInference } from '@cutline/inference';
      const stages = { encode: true, decode: false };
      const bundleFolder = defaultBundleFolder();
      const pool = await startInference({ bundleFolder, stages, backend: 'onnx', threads: 1 });
      await pool.encode(new Uint8Array(224 * 224 * 3), 1);
      await pool.close();
    `;
    const { ORT_DISABLE_TELEMETRY: _, XDG_CACHE_HOME: __, ...environment } = process.env;
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: import.meta.dirname,
      env: { ...environment, HOME: home, TMPDIR: home },
    });
    const files = (await readdir(home, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath.slice(home.length + 1), name));
    const encoder = /^\.cache\/cutline\/.*-encoder-.*\.onnx\/(graph\.onnx|weights)$/;
    expect(files).toEqual([expect.stringMatching(encoder), expect.stringMatching(encoder)]);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}, 60_000);
