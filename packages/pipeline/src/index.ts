export { applyOutcomes, type Captions, toPartRows } from './batch-results.ts';
export type { RunBoard } from './board/run-board.ts';
export { lockRun, type RunLock, seizeRun } from './board/run-lock.ts';
export {
  countByOutcome,
  countProgress,
  partStep,
  producerKey,
  progressOf,
  type RunProgress,
  readProgress,
  resetProgress,
  setProgress,
} from './board/run-progress.ts';
export { type DecodeBatchContext, decodeBatch } from './decode/decode-batch.ts';
export { writeSidecars } from './decode/write-sidecars.ts';
export { type EncodeBatchContext, encodeBatch } from './encode/encode-batch.ts';
export { HoldBack } from './encode/hold-back.ts';
export {
  DamagedFeaturesError,
  type FeatureBlob,
  packFeatures,
  unpackFeatures,
} from './features/feature-blob.ts';
export { FeatureStore } from './features/feature-store.ts';
export {
  countDivisions,
  type DecodeJob,
  type Division,
  decodeJobSchema,
  divide,
  divisionsMax,
  type EncodedImage,
  type EncodeJob,
  encodedImageSchema,
  encodeJobSchema,
  halve,
  imageRefs,
  lostWorkersMax,
  remaindersMax,
} from './jobs.ts';
export { countListing, type ListingCounts } from './produce/count-listing.ts';
export { type EnqueueContext, enqueueBatches } from './produce/enqueue-batches.ts';
export { type ProduceContext, produce } from './produce/produce.ts';
export { type ReconciledBatch, reconcileChunk } from './produce/reconcile.ts';
export { type Listing, resumeListing } from './produce/resume-listing.ts';
export { outputLocation, requestRun, resultsPrefix } from './produce/run-request.ts';
export { summarise } from './produce/summarise.ts';
export { ManifestProgress, writeManifest } from './produce/write-manifest.ts';
export type { JobCounts, JobQueue, TakenJob } from './queue/job-queue.ts';
export { observeQueues } from './queue/observe-queues.ts';
export {
  addJob,
  closeQueues,
  type JobHandler,
  type JobWorkerOptions,
  liveAttempts,
  liveBatches,
  openQueues,
  type Queues,
  startJobWorker,
} from './queue/queues.ts';
export { withdrawJobs } from './queue/withdraw-jobs.ts';
export { fitBudget, mustHoldBack, type Pressure } from './redis/memory-budget.ts';
export { connectRedis, logOutages } from './redis/redis.ts';
export { type RedisMemory, redisMemory } from './redis/redis-info.ts';
export type { RedisConnection } from './redis/redis-options.ts';
export { startStage } from './worker/start-stage.ts';
export { trySuspectsAlone } from './worker/try-suspects-alone.ts';
export {
  runWorkerProgram,
  type WorkerContext,
  type WorkerProgram,
  type WorkerSetting,
  type WorkerStage,
} from './worker/worker-program.ts';
export { realWorld, type World } from './world.ts';
