import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { parsePromQl } from './promql.ts';

/** What the dashboards and the alerts in infra/ ask of Prometheus. */

const infra = new URL('../../infra/', import.meta.url);

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  datasource?: { type: string; uid: string };
  gridPos: { h: number; w: number; x: number; y: number };
  targets?: { refId: string; expr: string; datasource: { type: string; uid: string } }[];
  fieldConfig?: { defaults: { unit?: string } };
}

export interface Dashboard {
  uid: string;
  title: string;
  schemaVersion: number;
  annotations: { list: { name: string; expr: string }[] };
  templating: { list: { name: string; type: string }[] };
  panels: Panel[];
}

export interface AlertRule {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}

export function readDashboards(): Dashboard[] {
  const folder = new URL('grafana/dashboards/', infra);
  return readdirSync(folder).map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')));
}

/** What the panels and annotations of all dashboards ask, as it stands there. */
export function dashboardQueries(): { where: string; expr: string }[] {
  return readDashboards().flatMap(({ title: dashboard, panels, annotations }) => [
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ refId, expr }) => ({ where: `${dashboard}, "${title}" ${refId}`, expr })),
    ),
    ...annotations.list.map(({ name, expr }) => ({ where: `${dashboard}, ${name}`, expr })),
  ]);
}

export function readAlerts(): AlertRule[] {
  const file = parse(readFileSync(new URL('prometheus/alerts.yml', infra), 'utf8'));
  return file.groups.flatMap((group: { rules: AlertRule[] }) => group.rules);
}

/** Every expression, with where it stands; Grafana's variables have values in them. */
export function infraExpressions(): { where: string; expression: string }[] {
  const panels = dashboardQueries().map(({ where, expr }) => ({
    where,
    expression: withRanges(expr, { rateInterval: '1m', range: '1h' }),
  }));
  const alerts = readAlerts().map((rule) => ({
    where: `alert ${rule.alert}`,
    expression: rule.expr,
  }));
  return [...panels, ...alerts];
}

/** Puts durations in the place of Grafana's, and everything in the place of its variables. */
export function withRanges(
  expression: string,
  ranges: { rateInterval: string; range: string },
): string {
  return expression
    .replaceAll('$__rate_interval', ranges.rateInterval)
    .replaceAll('$__range', ranges.range)
    .replaceAll(/\$(run|model|pool)\b/g, '.*');
}

/** `cutline_step_seconds_bucket` belongs to the metric `cutline_step_seconds`. */
export function metricOfSeries(series: string): string {
  return series.replace(/_(bucket|sum|count)$/, '');
}

/**
 * The names of Cutline's own metrics that the dashboard or an alert uses, sorted, each as in the
 * `# TYPE` lines of /metrics.
 */
export function metricNamesInInfra(): string[] {
  const names = infraExpressions()
    .flatMap(({ expression }) => parsePromQl(expression).selectors)
    .map((selector) => metricOfSeries(selector.series))
    .filter((name) => name.startsWith('cutline_'));
  return [...new Set(names)].toSorted();
}
