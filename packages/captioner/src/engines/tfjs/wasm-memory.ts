/**
 * Keeps what is computed in WebAssembly within its memory. That ends at 4 GB, and TensorFlow.js's
 * kernels do not look whether they were given any: past the end they write to address 0, and all
 * that is computed afterwards is wrong, or fails.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { Tf } from './tfjs-ops.ts';

/** Of tensors, whatever lies between them; 100 images of MobileNetV2 at 224 pixels. */
const tensorBytesMax = 3.25 * 1024 ** 3;

/** What Emscripten exports besides what the backend's types say. */
interface Allocator {
  _malloc(bytes: number): number;
}

/** From now on a tensor that does not fit throws, and leaves the others as they are. */
export function refuseWhatDoesNotFit(tf: Tf): void {
  tf.scalar(0).dispose(); // the first call puts the real function in place
  const wasm = (tf.backend() as BackendWasm).wasm as unknown as Allocator;
  const allocate = wasm._malloc;
  wasm._malloc = (bytes) => {
    if (tf.memory().numBytes + bytes > tensorBytesMax) {
      throw new RangeError('WebAssembly has no memory left: a smaller device batch would fit');
    }
    return allocate(bytes);
  };
}
