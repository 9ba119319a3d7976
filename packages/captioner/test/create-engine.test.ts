/** How an engine starts, seen from a process of its own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = async (program: string) => {
  const args = ['--input-type=module', '--eval', program];
  return promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
};

describe('createEngine', () => {
  it('is what loads TensorFlow.js: importing the package does not', async () => {
    const { stdout } = await run(`
      import { createRequire } from 'node:module';
      import { createEngine } from '@cutline/captioner';
      const loaded = () =>
        Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes('tfjs'));
      const before = loaded();
      await createEngine('wasm');
      console.log(JSON.stringify([before, loaded()]));
    `);
    expect(JSON.parse(stdout)).toEqual([false, true]);
  });

  it('prints nothing, and leaves it to the process how it fails', async () => {
    const { stdout, stderr } = await run(`
      import { createEngine } from '@cutline/captioner';
      const { engine, reason } = await createEngine('auto');
      if (engine.description === '' || reason === '') process.exitCode = 1;
      if (process.listenerCount('unhandledRejection') > 0) process.exitCode = 2;
      if (process.listenerCount('uncaughtException') > 0) process.exitCode = 3;
    `);
    expect({ stdout, stderr }).toEqual({ stdout: '', stderr: '' });
  });

  it('says which backend auto took, and why not a better one', async () => {
    const { stdout } = await run(`
      import { createEngine } from '@cutline/captioner';
      const { engine, reason } = await createEngine('auto');
      console.log(JSON.stringify([engine.backend, engine.description, reason]));
    `);
    const [backend, description, reason] = JSON.parse(stdout) as [string, string, string];
    if (backend === 'onnx') {
      expect(description).toMatch(/^ONNX Runtime 1\.\d+\.\d+, CPU, 1 thread$/);
      expect(reason).toMatch(
        /^the best that loads: onnx on GPU: it finds no CUDA .*; tensorflow on GPU: ./,
      );
    } else expect(description).toMatch(/GPU|CUDA/);
  });

  it('takes no CPU where a GPU is asked for', async () => {
    const { stdout } = await run(`
      import { createEngine } from '@cutline/captioner';
      const say = ({ engine }) => engine.device;
      const options = { device: 'gpu' };
      const found = [];
      for (const backend of ['wasm', 'onnx', 'auto']) {
        found.push(await createEngine(backend, options).then(say, ({ message }) => message));
      }
      console.log(JSON.stringify(found));
    `);
    const [wasm, onnx, auto] = JSON.parse(stdout) as [string, string, string];
    expect(wasm).toBe('WebAssembly computes on CPUs');
    expect(onnx).toMatch(/^gpu$|^it finds no CUDA \(./);
    expect(auto).toMatch(/^gpu$|^no backend loads: onnx on GPU: .*; tensorflow on GPU: ./);
  });

  it('falls back to wasm where ONNX Runtime’s binary does not load, and says why', async () => {
    const { stdout } = await run(`
      import { createEngine } from '@cutline/captioner';
      const dlopen = process.dlopen;
      process.dlopen = (module, file, ...rest) => {
        if (file.includes('onnxruntime')) throw new Error('ld-linux: no such file');
        return dlopen(module, file, ...rest);
      };
      const { engine, reason } = await createEngine('auto');
      console.log(JSON.stringify([engine.backend, engine.description, reason]));
    `);
    const [backend, description, reason] = JSON.parse(stdout) as [string, string, string];
    if (backend === 'tensorflow') return;
    expect(backend).toBe('wasm');
    expect(description).toMatch(/^TensorFlow\.js 4\.\d+\.\d+, WebAssembly with SIMD, 1 thread$/);
    expect(reason).toMatch(
      /tensorflow on GPU: .*; onnx on CPU: onnxruntime-node does not load on .*: ld-linux: no/,
    );
  });
});
