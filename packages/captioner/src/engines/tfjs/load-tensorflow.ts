/**
 * TensorFlow's native library through tfjs-node: for GPUs, and for training. Optional: neither
 * package is a dependency, because installing them downloads hundreds of megabytes.
 */
import type { Engine } from '../engine.ts';
import { createTfjsEngine } from './tfjs-engine.ts';
import { type Tf, TfjsOps } from './tfjs-ops.ts';

const packages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

/**
 * @param options.gpuOnly Whether TensorFlow on a CPU counts as not loading.
 * @throws Error that says why neither package loads, and how to install one.
 */
export async function loadTensorflow({ gpuOnly = false } = {}): Promise<Engine> {
  const problems: string[] = [];
  for (const name of packages) {
    try {
      const module = (await import(name)) as { default?: TfjsNode } & TfjsNode;
      const tf = module.default ?? module;
      await tf.ready();
      const { isUsingGpuDevice } = tf.backend() as NodeBackend;
      if (gpuOnly && !isUsingGpuDevice) throw new Error('finds no GPU');
      tf.enableProdMode();
      const description = `TensorFlow ${tf.version.tfjs}, ${name}`;
      return createTfjsEngine({
        tf,
        ops: new TfjsOps(tf),
        backend: 'tensorflow',
        description,
        encodeBatchMax: Infinity,
      });
    } catch (error) {
      problems.push(`${name}: ${firstLine(error)}`);
    }
  }
  throw new Error(
    `the tensorflow backend needs @tensorflow/tfjs-node-gpu or @tensorflow/tfjs-node; ` +
      `install one with npm (${problems.join('; ')})`,
  );
}

/** The packages re-export all of tfjs-core, and the versions of what they contain. */
type TfjsNode = Tf & { version: { tfjs: string } };

/** What its backend says about itself, which tfjs-core's type leaves out. */
type NodeBackend = ReturnType<Tf['backend']> & { isUsingGpuDevice: boolean };

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] as string;
}
