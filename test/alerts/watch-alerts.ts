import { readFile } from 'node:fs/promises';
import { type Prometheus, startPrometheus } from '../support/prometheus.ts';
import { waitFor } from '../support/wait-for.ts';
import { foldTime } from './fold-time.ts';

/** A Prometheus with the alerts that ship, in folded time, and what of them was seen. */
export interface AlertWatch {
  readonly prometheus: Prometheus;
  /** Those that fired, with what the first of each said, in the order in which they did. */
  readonly fired: ReadonlyMap<string, string>;
  /** From now on, this is scraped as well. */
  scrape(target: Target): Promise<void>;
  /** Waits until each of them has fired at least once. @throws Error with those that have not */
  untilFired(names: readonly string[], deadlineMs: number): Promise<void>;
  stop(): Promise<void>;
}

/** A minute of the rules, in seconds. */
export const secondsAMinute = 2;

export interface Target {
  job: string;
  port: number;
  /** Seconds between two scrapes, and how long one may take; default: 1. */
  scrapeSeconds?: number;
}

export async function watchAlerts(): Promise<AlertWatch> {
  const rules = await readFile(
    new URL('../../infra/prometheus/alerts.yml', import.meta.url),
    'utf8',
  );
  const prometheus = await startPrometheus(
    {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ['alerts.yml'],
      scrape_configs: [{ job_name: 'any', file_sd_configs: [{ files: ['targets.json'] }] }],
    },
    { 'alerts.yml': foldTime(rules, secondsAMinute), 'targets.json': '[]' },
  );
  const fired = new Map<string, string>();
  const look = async () => {
    const { alerts } = (await prometheus.api('alerts')) as { alerts: Alert[] };
    for (const { state, labels, annotations } of alerts) {
      const { alertname } = labels;
      if (state === 'firing' && !fired.has(alertname)) fired.set(alertname, annotations.summary);
    }
  };
  const timer = setInterval(() => void look().catch(() => {}), 500);
  const targets: object[] = [];
  return {
    prometheus,
    fired,
    async scrape({ job, port, scrapeSeconds = 1 }) {
      const often = `${scrapeSeconds}s`;
      const labels = { job, __scrape_interval__: often, __scrape_timeout__: often };
      targets.push({ targets: [`127.0.0.1:${port}`], labels });
      await prometheus.write('targets.json', JSON.stringify(targets));
    },
    async untilFired(names, deadlineMs) {
      const missing = () => names.filter((name) => !fired.has(name));
      await waitFor(() => missing().length === 0, { deadlineMs, what: 'alerts' }).catch(() => {
        throw new Error(`did not fire: ${missing().join(', ')}; did: ${[...fired.keys()]}`);
      });
    },
    async stop() {
      clearInterval(timer);
      await prometheus.stop();
    },
  };
}

interface Alert {
  state: 'pending' | 'firing';
  labels: { alertname: string };
  annotations: { summary: string };
}
