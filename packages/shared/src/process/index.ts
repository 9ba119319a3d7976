export { version } from '../version.ts';
export { closestName } from './closest-name.ts';
export { createCommand } from './command-line.ts';
export { withDeadline } from './deadline.ts';
export { type HttpPort, type HttpPortOptions, openHttpPort } from './http-port.ts';
export {
  Closers,
  crash,
  runProgram,
  runService,
  type Stop,
  type StopReason,
  stopProcess,
  untilStopped,
} from './lifecycle.ts';
export { createLogger, createNotesLogger, type Logger } from './logging.ts';
export { MemoryCeiling, type MemoryCeilingOptions, type MemoryExcess } from './memory-ceiling.ts';
export { Metrics, type QueueName, type Stage, type Step } from './metrics.ts';
export { openTracing } from './open-tracing.ts';
export { redactUrl } from './redact-url.ts';
export { isRedisUrl, parseRedisUrl, type RedisAddress } from './redis-url.ts';
export {
  addSettings,
  readSettings,
  refuseUnknownVariables,
  type SettingName,
  type Settings,
  settings,
  storeConfig,
} from './settings.ts';
export { SystemdNotifier } from './systemd.ts';
export { terminalColumns } from './terminal-columns.ts';
export {
  noTracing,
  type SpanOptions,
  type TraceContext,
  type Tracing,
  traceContextPattern,
} from './tracing.ts';
export { describeWholeNumber, parseWholeNumber, type WholeNumberRange } from './whole-number.ts';
