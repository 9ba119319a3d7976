import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Metrics } from '@cutline/shared/process';
import { describe, expect, test } from 'vitest';
import {
  infraExpressions,
  metricNamesInInfra,
  metricOfSeries,
  readAlerts,
  readDashboards,
} from './support/infra-metrics.ts';
import { parsePromQl } from './support/promql.ts';

/** The dashboards and the alerts, held against the metrics that the programs export. */

/** What prom-client's metrics have besides what it declares. */
interface Metric {
  name: string;
  type: 'counter' | 'gauge' | 'histogram';
  labelNames: string[];
}

const { registry } = new Metrics({ processMetrics: true });
const metrics = new Map(
  (registry.getMetricsAsArray() as unknown as Metric[]).map((metric) => [metric.name, metric]),
);

/** Series that Prometheus makes by itself, with the labels that it gives them. */
const ownSeries = new Map([
  ['up', []],
  ['ALERTS', ['alertname', 'alertstate', 'severity']],
]);
/** Every process reports these alike. */
const sharedFacts = [
  'cutline_queue_jobs',
  'cutline_queue_oldest_job_seconds',
  'cutline_feature_bytes',
  'cutline_feature_bytes_budget',
  'cutline_queue_workers',
];
const targetLabels = ['job', 'instance'];

/** The labels that a series has, or undefined when there is no such series. */
function labelsOf(series: string): string[] | undefined {
  const own = ownSeries.get(series);
  if (own) return [...own, ...targetLabels];
  const exact = metrics.get(series);
  if (exact && exact.type !== 'histogram') return [...exact.labelNames, ...targetLabels];
  const histogram = metrics.get(metricOfSeries(series));
  if (histogram?.type !== 'histogram' || exact) return undefined;
  const le = series.endsWith('_bucket') ? ['le'] : [];
  return [...histogram.labelNames, ...le, ...targetLabels];
}

describe('the queries of the dashboards and of the alerts', () => {
  const queries = infraExpressions().map(({ where, expression }) => ({
    where,
    query: parsePromQl(expression),
  }));

  test('name only metrics and labels that exist', () => {
    for (const { where, query } of queries) {
      for (const { series, labels } of query.selectors) {
        const known = labelsOf(series);
        expect(known, `${where}: series ${series}`).toBeDefined();
        expect(known, `${where}: labels of ${series}`).toEqual(expect.arrayContaining(labels));
      }
      const known = query.selectors.flatMap(({ series }) => labelsOf(series) ?? []);
      expect([...known, ...query.madeLabels], where).toEqual(
        expect.arrayContaining(query.groupingLabels),
      );
    }
  });

  test('read counters as rates', () => {
    // They restart from 0 with their process, so that their values mean nothing by themselves.
    for (const { where, query } of queries) {
      for (const { series, rangeFunction } of query.selectors) {
        if (metrics.get(series)?.type !== 'counter') continue;
        expect(['rate', 'increase'], `${where}: ${series}`).toContain(rangeFunction);
      }
    }
  });

  test('read facts about the whole system once, and not once a process', () => {
    for (const { where, query } of queries) {
      for (const { series, aggregation } of query.selectors) {
        const isShared = sharedFacts.includes(series) || /^cutline_(run|redis)_/.test(series);
        if (isShared) expect(aggregation, `${where}: ${series}`).toBe('max');
      }
    }
  });
});

test('every metric of Cutline is on a dashboard', () => {
  const own = [...metrics.keys()].filter((name) => name.startsWith('cutline_'));
  expect(metricNamesInInfra()).toEqual(own.toSorted());
});

test('the dashboards are what their source says', () => {
  const script = fileURLToPath(new URL('../infra/grafana/generate.mjs', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
});

test('dashboards are told apart, and one is the first page', () => {
  const uids = readDashboards().map(({ uid }) => uid);
  expect(new Set(uids).size).toBe(uids.length);
  expect(uids).toContain('cutline');
});

describe.each(readDashboards())('the dashboard $title', (dashboard) => {
  const { panels, schemaVersion, templating } = dashboard;
  const queried = panels.filter((panel) => panel.type !== 'row');

  test('has what Grafana and its links rely on', () => {
    expect(schemaVersion).toBeGreaterThanOrEqual(39);
    expect(new Set(panels.map((panel) => panel.id)).size).toBe(panels.length);
    expect(queried.length).toBeGreaterThan(5);
    const used = new Set(JSON.stringify(panels).match(/(?<=\$)(run|model|pool)\b/g));
    const filled = templating.list.filter(({ type }) => type === 'query').map(({ name }) => name);
    expect([...used].toSorted()).toEqual(filled.toSorted());
  });

  test('has panels that say what they show, and whence', () => {
    for (const panel of queried) {
      const { title, description, fieldConfig, targets = [] } = panel;
      // Long enough to say what a bad picture means and what to do.
      expect(description?.length, title).toBeGreaterThan(80);
      expect(fieldConfig?.defaults.unit, title).toBeTruthy();
      expect(targets.length, title).toBeGreaterThan(0);
      for (const { datasource } of [panel, ...targets]) {
        // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's notation for a variable.
        expect(datasource?.uid, title).toBe('${datasource}');
      }
    }
  });

  test('has panels that lie side by side', () => {
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken, `${title} overlaps another panel`).not.toContain(`${x},${y}`);
          taken.add(`${x},${y}`);
        }
      }
    }
  });
});

test('alerts say how bad it is, what is wrong and what to do', () => {
  for (const { alert, labels, annotations } of readAlerts()) {
    expect(['warning', 'critical'], alert).toContain(labels.severity);
    expect(annotations.summary, alert).toContain('{{');
    expect(annotations.description.length, alert).toBeGreaterThan(80);
  }
});
