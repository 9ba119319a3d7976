import { UserError } from '../errors.ts';
import { noTracing, type Tracing } from './tracing.ts';

/**
 * Traces by OpenTelemetry's own variables: they are on where OTEL_EXPORTER_OTLP_ENDPOINT, or
 * OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, says where to. Where it does not, nothing of OpenTelemetry is
 * loaded. What else there is to be set (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
 * OTEL_TRACES_SAMPLER, OTEL_BSP_…, OTEL_EXPORTER_OTLP_HEADERS, …) is read by its SDK.
 *
 * @param service its name, unless OTEL_SERVICE_NAME says another
 * @param onTrouble is told once that traces cannot be sent: nothing waits for them
 * @throws UserError for a protocol that is not spoken
 */
export async function openTracing(
  service: string,
  onTrouble: (message: string) => void,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Tracing> {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const isOff = env.OTEL_SDK_DISABLED?.toLowerCase() === 'true';
  if (!endpoint || isOff || env.OTEL_TRACES_EXPORTER === 'none') return noTracing;
  const protocol =
    env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL || 'http/protobuf';
  if (protocol !== 'http/protobuf' && protocol !== 'http/json') {
    throw new UserError(
      `OTEL_EXPORTER_OTLP_PROTOCOL is "${protocol}": traces are sent as http/protobuf or http/json ` +
        '(port 4318 of a collector).',
    );
  }
  const { startTracing } = await import('./otel-tracing.ts');
  return startTracing({ service, protocol, onTrouble });
}
