/** The two stages as functions, and the threads that compute them. */
export type {
  ConversionOptions,
  ModelSize,
  Precision,
  PublishedCheckpoint,
  WeightType,
} from '@cutline/captioner';
export { assembleTokenizer, convertCheckpoint, modelSize } from '@cutline/captioner';
export { captionFeatures } from './caption-features.ts';
export {
  type DecodedImage,
  type DecodeLimits,
  decodeImage,
  type PixelSpec,
} from './decode-image.ts';
export {
  type EncodeContext,
  type EncodedImages,
  type EncodeLimits,
  type EncodeOutcome,
  encodeImages,
} from './encode-images.ts';
export { openEngineCache } from './engine-cache.ts';
export { exportGraphs } from './export-graphs.ts';
export type { BackendChoice, ImageCaptions, Stages } from './inference-messages.ts';
export type { InferencePool } from './inference-pool.ts';
export {
  checkPrompt,
  describeBundle,
  loadDecoderBundle,
  loadEncoderBundle,
  loadModelBundle,
  type ModelSummary,
} from './load-bundle.ts';
export { loadSharp } from './load-sharp.ts';
export {
  bundleName,
  defaultBundleFolder,
  findBundle,
  removeShelved,
  shelfFolder,
  shelvedModels,
} from './model-shelf.ts';
export { type InferenceOptions, startInference } from './start-inference.ts';
export { type Trial, tryModel } from './try-model.ts';
export {
  type Device,
  describeTuning,
  type Tuning,
  tuneDeviceBatch,
} from './tune-device-batch.ts';
