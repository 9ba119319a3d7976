export { attemptSchema, type BatchAttempt, batchNumber, jobId, parseJobId } from './attempt.ts';
export { type CaptionOptions, captionOptionsSchema } from './caption-options.ts';
export { type ImageRef, imageRefSchema } from './image-ref.ts';
export { batchesOf, chunkBatches, countChunks, readChunk, writeChunk } from './manifest.ts';
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
export {
  type PartName,
  type Run,
  RunStore,
  runSchema,
  type Selection,
  type Summary,
  selectionSchema,
  summarySchema,
} from './run.ts';
export {
  addCaptionFlags,
  addRunFlags,
  addSelectionFlags,
  type CaptionFlags,
  captionOptions,
  type RunFlags,
  type SelectionFlags,
  selectionOf,
  wholeNumber,
} from './run-flags.ts';
export { newRunName, runIdSchema } from './run-name.ts';
