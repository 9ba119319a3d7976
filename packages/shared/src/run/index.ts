export { type CaptionOptions, captionOptionsSchema } from '@cutline/captioner/caption-options';
export {
  attemptName,
  attemptSchema,
  type BatchAttempt,
  batchNumber,
  describeAttempt,
  jobId,
  parseJobId,
} from './attempt.ts';
export {
  type Claim,
  generationOf,
  generationOfChunk,
  listingGeneration,
  type Takeover,
} from './claim.ts';
export { addCounts, type Counts, countRows, countToRetry, withoutFailures } from './counts.ts';
export { type EncodedImage, encodedImageSchema } from './encoded-image.ts';
export { type FeatureType, featureTypes } from './feature-type.ts';
export { deadlineSchema } from './flags/deadline.ts';
export { wholeNumber } from './flags/flag-parsers.ts';
export { type Priority, priorities, prioritySchema } from './flags/priority.ts';
export {
  addCaptionFlags,
  addDecodeFlags,
  addRequestFlags,
  addRunFlags,
  addSelectionFlags,
  batchSizeDefault,
  type CaptionFlags,
  captionOptions,
  featureTypeOption,
  type RunFlags,
  type SelectionFlags,
  selectionOf,
  windowDefault,
} from './flags/run-flags.ts';
export {
  addSidecarFlags,
  existingOption,
  minScoreOption,
  type SidecarFlags,
  sidecarKindsOption,
} from './flags/sidecar-flags.ts';
export { columnsSchema, type ImageRef, imageRefSchema } from './image-ref.ts';
export { type KeptBatch, KeptFeatures, keptBatchSchema } from './kept-features.ts';
export {
  countParts,
  isReopened,
  type Ledger,
  type Ledger3,
  type Ledger4,
  type LedgerPart,
  ledgerParts,
  sha256,
} from './ledger.ts';
export {
  batchesOf,
  chunkBatchesDefault,
  createChunk,
  createEnd,
  type ManifestEnd,
  measureManifest,
  readChunk,
} from './manifest.ts';
export {
  type Candidate,
  type CaptionedRow,
  candidateSchema,
  captionedRowSchema,
  type FailedRow,
  type Failure,
  failedRowSchema,
  formatPart,
  type PartRow,
  parseJsonLines,
  parsePart,
  partRowSchema,
  type SkippedRow,
  skippedRowSchema,
} from './part.ts';
export { getIfThere } from './read-if-there.ts';
export { type PlacedRow, parseRow, readPlacedRows, readRows } from './read-rows.ts';
export {
  continueRepeated,
  countRepeated,
  findRepeated,
  type Repeated,
  RepeatedCaptions,
} from './repeated-captions.ts';
export {
  isGone,
  type ReadableRun,
  type RowPlace,
  type RowsOfBatch,
  type SettledRow,
} from './results/chunk-rows.ts';
export { countLedgers, countResults } from './results/count-results.ts';
export { findAttempt, findInFile, findInParts } from './results/find-attempt.ts';
export { readAhead } from './results/in-turn.ts';
export { placeRows, readResults } from './results/place-rows.ts';
export {
  createResults,
  formatResults,
  notAsNamed,
  parseResults,
  parseResultsName,
  type ResultsFilter,
  readResultsFile,
  resultsName,
} from './results/results-file.ts';
export { type AttemptedRow, resultColumns } from './results/row-columns.ts';
export { RowReader } from './results/row-reader.ts';
export {
  listChunkParts,
  type SettledBatch,
  type StoredPart,
  settleChunk,
} from './results/settle-chunk.ts';
export {
  captionOf,
  captionSchema,
  type Decision,
  decisionSchema,
  type Judgement,
  judgementSchema,
  reviewedImage,
  reviewerSchema,
} from './reviews/decision.ts';
export {
  createDraw,
  type Draw,
  type Estimate,
  estimateAccepted,
  readDraws,
  wilsonInterval,
} from './reviews/draw.ts';
export { ReviewLog } from './reviews/review-log.ts';
export { ReviewReader, readReviews } from './reviews/review-objects.ts';
export {
  applyReview,
  type ResultRow,
  type ReviewedRow,
  readReviewedResults,
  reviewedRowSchema,
} from './reviews/reviewed-row.ts';
export { countReviews, type ReviewCounts, Reviews } from './reviews/reviews.ts';
export {
  ledgerStretches,
  type Run,
  runSchema,
  type Selection,
  type Summary,
  selectionSchema,
  summarySchema,
} from './run.ts';
export { newRunName, runIdSchema } from './run-name.ts';
export { glanceAtRun, type RunState, readFloor, readRunState } from './run-state.ts';
export { type PartName, RunStore } from './run-store.ts';
export {
  imageName,
  imageToTry,
  needsWork,
  type ReadPart,
  rowName,
  type SettledImage,
  settleBatch,
} from './settle.ts';
export {
  addSidecarRecords,
  listSidecarRecords,
  readSidecarRecords,
} from './sidecar-records.ts';
export {
  type ExistingRule,
  existingRules,
  type SidecarKind,
  type SidecarRecord,
  type SidecarRules,
  sidecarKinds,
  sidecarRulesDefault,
  sidecarRulesSchema,
} from './sidecars.ts';
export {
  addUsage,
  costOf,
  type Price,
  type Usage,
  type UsageTotals,
  usageSchema,
} from './usage.ts';
export { type Verification, verifyRun } from './verify/verify-run.ts';
