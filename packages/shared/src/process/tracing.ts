/**
 * Traces, as the pipeline sees them: spans that lie within each other and go on in other processes.
 * Where they go is open-tracing.ts's; without an endpoint they go nowhere, and cost a call.
 */
export interface Tracing {
  /** Whether anything is told to anybody. */
  readonly isOn: boolean;
  /** Runs `work` in a span, which ends with it; what it throws is noted, and thrown. */
  span<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T>;
  /** A span of what is over already. */
  note(name: string, options: SpanOptions & { startMs: number; endMs: number }): void;
  /** The span that is active, for others to go on from; undefined where none is. */
  current(): TraceContext | undefined;
  /** What a line of the log says of the active span. */
  logFields(): { trace_id?: string; span_id?: string };
  /** Sends what was not sent yet. */
  close(): Promise<void>;
}

/** A span of any process, as W3C's header `traceparent` has it: `00-<trace>-<span>-<flags>`. */
export type TraceContext = string;

export const traceContextPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

export interface SpanOptions {
  /** Work that is handed on, or that was handed on by another process. */
  kind?: 'producer' | 'consumer';
  attributes?: Record<string, string | number>;
  /** A span elsewhere; `none` begins a trace; default: the active one. */
  parent?: TraceContext | 'none' | undefined;
  /** Spans of other traces that it came from. */
  links?: readonly TraceContext[];
}

export const noTracing: Tracing = {
  isOn: false,
  span: (_name, _options, work) => work(),
  note() {},
  current: () => undefined,
  logFields: () => ({}),
  async close() {},
};
