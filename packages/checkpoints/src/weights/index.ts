export type { Checkpoint, Tensor, TensorInfo } from './checkpoint.ts';
export { openCheckpoint, weightFiles } from './open-checkpoint.ts';
