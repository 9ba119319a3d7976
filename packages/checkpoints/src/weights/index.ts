export type { Checkpoint, Tensor, TensorInfo } from './checkpoint.ts';
export { openCheckpoint } from './open-checkpoint.ts';
export { isWeightFile, weightFiles } from './weight-files.ts';
