export { applyOutcomes, toPartRows } from './batch-results.ts';
export { MemoryBoard } from './board/memory-board.ts';
export { RedisBoard } from './board/redis-board.ts';
export {
  type Counts,
  type EnlistedRun,
  type RunBoard,
  runsEnlistedMax,
} from './board/run-board.ts';
export { lockRun, type RunLock, seizeRun } from './board/run-lock.ts';
export { countByOutcome, partStep, progressOf, type RunProgress } from './board/run-progress.ts';
export {
  type RegisteredWorker,
  WorkerRegister,
  type WorkerSign,
} from './board/worker-register.ts';
export { decodeAtOnce } from './decode/decode-at-once.ts';
export { type DecodeBatchContext, decodeBatch } from './decode/decode-batch.ts';
export { type EncodeBatchContext, encodeBatch } from './encode/encode-batch.ts';
export { type HandOver, handOverToDecoders } from './encode/hand-over.ts';
export { HoldBack } from './encode/hold-back.ts';
export type { QueueFound, RunFound, SharedFigures } from './exporter/apply-figures.ts';
export { Exporter, type ExporterOptions } from './exporter/exporter.ts';
export { type FiguresOptions, FiguresReader } from './exporter/figures-reader.ts';
export { bottleneck, isFinished, RunRate } from './exporter/run-figures.ts';
export {
  DamagedFeaturesError,
  packFeatures,
  unpackFeatures,
} from './features/feature-blob.ts';
export { FeatureBooks } from './features/feature-books.ts';
export {
  type FeatureHomes,
  openFeatureBooks,
  openFeatureHomes,
} from './features/feature-homes.ts';
export { type FeatureMemory, type FeatureStore, redisHome } from './features/feature-store.ts';
export { keepFeatures } from './features/keep-features.ts';
export { loadKept } from './features/load-kept.ts';
export { MemoryFeatures } from './features/memory-features.ts';
export { RedisFeatures } from './features/redis-features.ts';
export { StoredFeatures } from './features/stored-features.ts';
export {
  countDivisions,
  type DecodeJob,
  type Division,
  decodeJobSchema,
  divide,
  divisionsMax,
  type EncodeJob,
  encodeJobSchema,
  halve,
  halveKept,
  imageRefs,
  inFlight,
  type KeptFeaturesRef,
  remaindersMax,
} from './jobs.ts';
export { captionLocally, type LocalPipeline, stagesOf } from './local/caption-locally.ts';
export { LocalSidecars } from './local/local-sidecars.ts';
export { makeFolder } from './make-folder.ts';
export { patiently, pauseMs } from './patience.ts';
export type { CostItem } from './plan/cost.ts';
export type { Requests } from './plan/count-requests.ts';
export type { Estimate, Workers } from './plan/estimate.ts';
export type { Interval } from './plan/interval.ts';
export {
  type Plan,
  type PlanContext,
  planOf,
  planSchema,
  readPlan,
  requireNoRun,
  surveyRun,
  writePlan,
} from './plan/plan.ts';
export { listPrices, type Prices, parsePrices } from './plan/prices.ts';
export {
  type Amount,
  type Survey,
  type SurveyedListing,
  surveyListing,
} from './plan/survey-listing.ts';
export type { Trial } from './plan/trial.ts';
export { type TryContext, tryImages } from './plan/try-images.ts';
export { cancelRun } from './produce/cancel-run.ts';
export {
  beginOrGoOn,
  beginRun,
  type ClaimedRun,
  claimRun,
  resumeRun,
} from './produce/claim-run.ts';
export { type DriveRunContext, driveRun } from './produce/drive-run.ts';
export { planUsage } from './produce/plan-usage.ts';
export { type ProduceContext, produce } from './produce/produce.ts';
export { type ProduceRunOptions, produceRun, type StartedRun } from './produce/produce-run.ts';
export { requestCaptions, requestSelection } from './produce/request/request-captions.ts';
export { type DecodeFlags, requestDecode } from './produce/request/request-decode.ts';
export { requestFeatures } from './produce/request/request-features.ts';
export {
  describeExcluded,
  outputLocation,
  requestLocal,
  requestName,
  requestRun,
  resultsPrefix,
} from './produce/request/run-request.ts';
export { type Listing, resumeListing } from './produce/resume-listing.ts';
export { type BullQueueOptions, openBullQueue } from './queue/bullmq-queue.ts';
export type { JobCounts, JobQueue, TakenJob } from './queue/job-queue.ts';
export { MemoryQueueServer } from './queue/memory-queue.ts';
export { closeQueues, openQueues, type Queues } from './queue/open-queues.ts';
export { modelHash, queueName } from './queue/queue-name.ts';
export { traceQueues } from './queue/traced-queues.ts';
export { withdrawJobs } from './queue/withdraw-jobs.ts';
export { fitBudget, mustHoldBack, type Pressure } from './redis/memory-budget.ts';
export { connectRedis, logOutages } from './redis/redis.ts';
export { type RedisMemory, redisMemory } from './redis/redis-info.ts';
export type { RedisConnection } from './redis/redis-options.ts';
export { noRenewal, type Renewal, renewSidecars } from './sidecars/renew-sidecars.ts';
export { type Withdrawal, withdrawSidecars } from './sidecars/withdraw-sidecars.ts';
export { writeSidecars } from './sidecars/write-sidecars.ts';
export { Breaker } from './worker/breaker.ts';
export { floorOf } from './worker/floor-of.ts';
export { unhealthy } from './worker/health.ts';
export {
  BrokenWorkerError,
  type JobContext,
  type JobHandler,
  UnwantedJobError,
} from './worker/job-context.ts';
export { JobTaker, type JobTakerOptions } from './worker/job-taker.ts';
export { featureSettings, openHomes } from './worker/open-homes.ts';
export {
  encodeSettings,
  startDecodeStage,
  startEncodeStage,
  startStages,
} from './worker/start-stage.ts';
export { traceJob } from './worker/trace-job.ts';
export { lostWorkersMax, Suspects } from './worker/try-suspects-alone.ts';
export {
  runWorkerProgram,
  type WorkerContext,
  type WorkerProgram,
  type WorkerSetting,
  type WorkerStage,
} from './worker/worker-program.ts';
export { realWorld, type World } from './world.ts';
