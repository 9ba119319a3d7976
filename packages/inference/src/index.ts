/** The two stages as functions, and the threads that compute them. */
export type {
  ConversionOptions,
  ModelSize,
  Precision,
  PublishedCheckpoint,
  WeightType,
} from '@cutline/captioner';
export {
  assembleTokenizer,
  convertCheckpoint,
  encoderHash,
  featureBytes,
  modelSize,
} from '@cutline/captioner';
export { captionFeatures } from './caption-features.ts';
export type { OpenImage } from './choose-decoder.ts';
export {
  type DecodedImage,
  decodeImage,
  type PixelSpec,
} from './decode-image.ts';
export { type AnyModel, describeModel } from './describe-model.ts';
export {
  type EncodeContext,
  type EncodeLimits,
  encodeImages,
} from './encode-images.ts';
export { openEngineCache } from './engine-cache.ts';
export { exportGraphs } from './export-graphs.ts';
export { extensionOf, promisedFormat } from './image-extensions.ts';
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
export { type ImageLook, lookAtImage } from './look-at-image.ts';
export {
  bundleName,
  defaultBundleFolder,
  findBundle,
  removeShelved,
  shelfFolder,
  shelvedModels,
} from './model-shelf.ts';
export { type DecodeLimits, withOpenImage } from './open-image.ts';
export { ChatServer } from './served/chat-server.ts';
export { checkServer, forUser, listed, openServer } from './served/open-server.ts';
export { everything, probeServer } from './served/probe-server.ts';
export { columnsOf } from './served/prompt-places.ts';
export {
  type AnswerFormat,
  answerFormats,
  parseServedDescription,
  type RequestTraits,
  type ServedDescription,
  type ServedModel,
  servedRanges,
  summariseServed,
} from './served/served-description.ts';
export { servedDecodeStage, servedEncodeStage } from './served/served-stages.ts';
export { ServerError } from './served/server-error.ts';
export { localDecodeStage, localEncodeStage } from './stages/local-stages.ts';
export type {
  CaptionOutcome,
  Captions,
  DecodeStage,
  EncodedImages,
  EncodeOutcome,
  EncodeStage,
  Features,
  ImageFeatures,
} from './stages/stage.ts';
export { type InferenceOptions, startInference } from './start-inference.ts';
export { plainTiff } from './tiff/plain-tiff.ts';
export { readDirectories } from './tiff/read-directories.ts';
export { type Trial, tryModel } from './try-model.ts';
export {
  type Device,
  describeTuning,
  type Tuning,
  tuneDeviceBatch,
} from './tune-device-batch.ts';
