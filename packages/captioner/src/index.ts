/** Neural image captioning: what other packages use. */
export { searchCaptions } from './beam-search.ts';
export { type BeamStepInputs, type BeamStepOutputs, beamStep, gatherRows } from './beam-step.ts';
export { type CaptionOptions, captionOptionsSchema, captionRanges } from './caption-options.ts';
export {
  type Caption,
  type Captioner,
  captionFeatures,
  createCaptioner,
  encodeImages,
} from './captioner.ts';
export { type DecoderHalf, decoderHalf, type EncoderHalf, encoderHalf } from './cut.ts';
export type {
  DecoderContext,
  DecoderFamily,
  DecoderModel,
  DecoderStep,
  Projection,
  Tensors,
} from './decoders/decoder-family.ts';
export { decoderFamilies } from './decoders/index.ts';
export { divideBatch } from './divide-batch.ts';
export type { EncoderFamily } from './encoders/encoder-family.ts';
export { encoderFamilies } from './encoders/index.ts';
export { type MobileNetV2Sizes, mobileNetV2, mobileNetV2Sizes } from './encoders/mobilenet-v2.ts';
export { type Normalisation, normalise } from './encoders/normalise.ts';
export { backends, type ChosenEngine, createEngine } from './engines/create-engine.ts';
export type {
  Backend,
  Decoder,
  DecoderSession,
  Encoder,
  Engine,
  EngineCache,
  EngineOptions,
  ExactEncoder,
  StepRequest,
  StepResult,
} from './engines/engine.ts';
export { exportOnnx } from './engines/onnx/export-onnx.ts';
export {
  type FeatureType,
  featureBytes,
  fromInt8Features,
  toInt8Features,
} from './feature-types.ts';
export { fromFloat16, toFloat16 } from './float16.ts';
export type { SearchCandidate } from './image-search.ts';
export { toInt8 } from './int8.ts';
export { type Lineage, type LineageRows, lineageOf, traceLineage } from './lineage.ts';
export {
  type BundleFiles,
  type BundlePart,
  type DecoderBundle,
  type EncoderBundle,
  filesOf,
  formatModelBundle,
  type ModelBundle,
  parseDecoderBundle,
  parseEncoderBundle,
  parseModelBundle,
  parseVocabularyFile,
} from './model-bundle.ts';
export {
  type BundleFile,
  bundleFiles,
  encoderHash,
  featureMapShape,
  findDecoderFamily,
  findEncoderFamily,
  type ModelDescription,
  modelId,
  type PreprocessingSpec,
  parseModelDescription,
} from './model-description.ts';
export { type ModelSize, modelSize } from './model-size.ts';
export { type ConversionOptions, convertCheckpoint, type Precision } from './published/index.ts';
export type { PublishedCheckpoint, PublishedOrigin } from './published/published-checkpoint.ts';
export { type Grid, resizePositions } from './published/resize-positions.ts';
export { assembleTokenizer, type TokenizerParts } from './published/tokenizer-parts.ts';
export { createRandom } from './random.ts';
export { formatSafetensors, parseSafetensors } from './safetensors.ts';
export type { Activation, ConvolutionOptions, TensorOps } from './tensor-ops.ts';
export { parseTokenizer, type TokenizerDescription } from './tokenizer.ts';
export type { Vocabulary } from './vocabulary.ts';
export {
  initialiseWeights,
  type ParameterSpec,
  type ParameterSpecs,
  type WeightArray,
  type WeightArrays,
  Weights,
  type WeightType,
} from './weights.ts';
export { parseWordList, type WordList, wordList } from './word-list.ts';
