import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Context,
  DiagLogLevel,
  diag,
  type SpanOptions as OtelSpanOptions,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { describeError } from '../errors.ts';
import { version } from '../version.ts';
import { withDeadline } from './deadline.ts';
import {
  type SpanOptions,
  type TraceContext,
  type Tracing,
  traceContextPattern,
} from './tracing.ts';

/**
 * `Tracing` by OpenTelemetry's SDK. Loaded where traces are sent, and by nothing else. It keeps to
 * itself: nothing is registered for the whole process, and the active span is in a storage of its own.
 */
export async function startTracing(options: {
  service: string;
  protocol: 'http/protobuf' | 'http/json';
  onTrouble: (message: string) => void;
}): Promise<Tracing> {
  let isTold = false;
  const trouble = (message: string) => {
    if (!isTold) options.onTrouble(message);
    isTold = true;
  };
  const quiet = () => {};
  const logger = { error: trouble, warn: trouble, info: quiet, debug: quiet, verbose: quiet };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const exporter = await openExporter(options.protocol);
  return tracingTo(new BatchSpanProcessor(exporter), options.service);
}

async function openExporter(protocol: 'http/protobuf' | 'http/json'): Promise<SpanExporter> {
  const { OTLPTraceExporter } =
    protocol === 'http/json'
      ? await import('@opentelemetry/exporter-trace-otlp-http')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter();
}

/** Sending must not hold up the end of a process. */
const closeMsMax = 2_000;

/** @param processor gets spans as they end */
export function tracingTo(processor: SpanProcessor, service: string): Tracing {
  const named = { 'service.name': service, 'service.version': version };
  const provider = new NodeTracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes(named))
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('cutline', version);
  const active = new AsyncLocalStorage<Context>();
  const spanContext = () => {
    const context = active.getStore();
    return context && trace.getSpanContext(context);
  };
  const start = (name: string, options: SpanOptions & { startMs?: number }) => {
    const { parent, kind, attributes, links = [], startMs } = options;
    const context = parent === undefined ? (active.getStore() ?? ROOT_CONTEXT) : contextOf(parent);
    const otel: OtelSpanOptions = {
      ...(kind && { kind: kind === 'producer' ? SpanKind.PRODUCER : SpanKind.CONSUMER }),
      ...(attributes && { attributes: attributes satisfies Attributes }),
      links: links.flatMap((link) => {
        const from = parseContext(link);
        return from ? [{ context: from }] : [];
      }),
      ...(startMs !== undefined && { startTime: startMs }),
    };
    return { span: tracer.startSpan(name, otel, context), context };
  };
  return {
    isOn: true,
    async span(name, options, work) {
      const { span, context } = start(name, options);
      try {
        return await active.run(trace.setSpan(context, span), work);
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: describeError(error) });
        throw error;
      } finally {
        span.end();
      }
    },
    note(name, options) {
      start(name, options).span.end(options.endMs);
    },
    current() {
      const context = spanContext();
      return context && formatContext(context);
    },
    logFields() {
      const context = spanContext();
      return context ? { trace_id: context.traceId, span_id: context.spanId } : {};
    },
    async close() {
      await withDeadline(provider.shutdown(), closeMsMax).catch(() => {});
    },
  };
}

function contextOf(parent: TraceContext | 'none'): Context {
  const from = parent === 'none' ? undefined : parseContext(parent);
  return from ? trace.setSpanContext(ROOT_CONTEXT, from) : ROOT_CONTEXT;
}

function formatContext({ traceId, spanId, traceFlags }: SpanContext): TraceContext {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

function parseContext(text: TraceContext): SpanContext | undefined {
  const [, traceId, spanId, flags] = traceContextPattern.exec(text) ?? [];
  if (!traceId || !spanId || !flags) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}
