/** What a process says on its /metrics page. */
export interface Scrape {
  /** Metrics that it declares, with or without values. */
  names: ReadonlySet<string>;
  /** The value of a series, written as on the page (`cutline_retries_total{stage="fetch"}`), or 0. */
  value(series: string): number;
}

/** @param port of 127.0.0.1 */
export async function scrape(port: number): Promise<Scrape> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  const lines = (await answer.text()).split('\n');
  const names = new Set<string>();
  const values = new Map<string, number>();
  for (const line of lines) {
    const declared = /^# TYPE (\S+)/.exec(line)?.[1];
    if (declared) names.add(declared);
    if (line === '' || line.startsWith('#')) continue;
    const space = line.lastIndexOf(' '); // labels may have spaces, and there are no timestamps
    values.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return { names, value: (series) => values.get(series) ?? 0 };
}
