import { parseExposition } from './exposition.ts';

/** What a process says on its /metrics page, read strictly. */
export interface Scrape {
  /** Metrics that it declares, with or without values. */
  names: ReadonlySet<string>;
  /** The value of a series, written as on the page (`cutline_retries_total{stage="fetch"}`), or 0. */
  value(series: string): number;
}

/** @param port of 127.0.0.1 */
export async function scrape(port: number): Promise<Scrape> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  const families = parseExposition(await answer.text());
  const values = new Map<string, number>();
  for (const { name, labels, value } of families.flatMap(({ samples }) => samples)) {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text}"`);
    values.set(pairs.length > 0 ? `${name}{${pairs.join(',')}}` : name, value);
  }
  return {
    names: new Set(families.map(({ name }) => name)),
    value: (series) => values.get(series) ?? 0,
  };
}
