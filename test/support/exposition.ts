/**
 * Reads a page of /metrics as strictly as Prometheus's text format is meant, and holds it to the
 * conventions of names: what a lenient reader would forgive is an error here.
 */

export interface Family {
  name: string;
  type: 'counter' | 'gauge' | 'histogram' | 'summary';
  help: string;
  samples: Sample[];
}

export interface Sample {
  /** With `_bucket`, `_sum` or `_count`, of a histogram. */
  name: string;
  labels: Record<string, string>;
  value: number;
}

const help = /^# HELP ([a-zA-Z_:][\w:]*) (\S.*)$/;
const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary)$/;
/** prom-client writes `Nan`, which Prometheus takes. */
const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.+)\})? ([+-]Inf|NaN|Nan|[+-]?[\d.]+(?:e[+-]?\d+)?)$/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/gy;

/** @throws Error with the line, or the metric, that is not as it should be */
export function parseExposition(text: string): Family[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, Family>();
  let declared: { name: string; help: string } | undefined;
  let family: Family | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const [, helped, words] = help.exec(line) ?? [];
    const [, typed, kind] = type.exec(line) ?? [];
    if (helped && words) {
      if (families.has(helped)) throw new Error(`declared twice: ${line}`);
      declared = { name: helped, help: words };
    } else if (typed) {
      if (declared?.name !== typed) throw new Error(`type without help before it: ${line}`);
      family = { name: typed, type: kind as Family['type'], help: declared.help, samples: [] };
      families.set(typed, family);
    } else {
      const found = parseSample(line);
      if (!family || !belongs(found.name, family)) throw new Error(`of no family: ${line}`);
      family.samples.push(found);
    }
  }
  for (const each of families.values()) checkFamily(each);
  return [...families.values()];
}

function parseSample(line: string): Sample {
  const [, name = '', inner = '', value = ''] = sample.exec(line) ?? [];
  if (name === '') throw new Error(`not a sample: ${line}`);
  const labels: Record<string, string> = {};
  let length = 0;
  for (const [all, key = '', text = ''] of inner.matchAll(label)) {
    if (key in labels) throw new Error(`a label twice: ${line}`);
    labels[key] = text;
    length += all.length;
  }
  if (length !== inner.length) throw new Error(`not labels: ${line}`);
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

function belongs(sampleName: string, { name, type: kind }: Family): boolean {
  const suffixes =
    kind === 'histogram'
      ? ['_bucket', '_sum', '_count']
      : kind === 'summary'
        ? ['', '_sum', '_count']
        : [''];
  return suffixes.some((suffix) => sampleName === name + suffix);
}

function checkFamily({ name, type: kind, samples }: Family): void {
  const wrong = (what: string) => new Error(`${name}: ${what}`);
  const keys = samples.map(
    (each) => each.name + JSON.stringify(Object.entries(each.labels).toSorted()),
  );
  if (new Set(keys).size !== keys.length) throw wrong('a series twice');
  if (kind === 'histogram') checkBuckets(samples, wrong);
  if (!name.startsWith('cutline_')) return; // Node.js's are named by others
  if ((kind === 'counter') !== name.endsWith('_total')) throw wrong('_total is for counters');
  if (/(?:milli|micro|minutes|hours|kilo|mega|percent|_ms\b|_mb\b)/.test(name)) {
    throw wrong('not a base unit');
  }
  if (/_(count|sum|bucket)$/.test(name)) throw wrong('a suffix of histograms');
  for (const { value } of samples) {
    if (Number.isNaN(value)) throw wrong('no number');
    if (kind === 'counter' && value < 0) throw wrong('a counter below 0');
  }
}

function checkBuckets(samples: readonly Sample[], wrong: (what: string) => Error): void {
  const series = new Map<string, Sample[]>();
  for (const each of samples.filter(({ name }) => name.endsWith('_bucket'))) {
    const { le: _, ...others } = each.labels;
    const key = JSON.stringify(others);
    series.set(key, [...(series.get(key) ?? []), each]);
  }
  for (const buckets of series.values()) {
    const bounds = buckets.map(({ labels }) => Number(labels.le?.replace('Inf', 'Infinity')));
    const isRising = (numbers: number[]) =>
      numbers.every((n, i) => i === 0 || n >= (numbers[i - 1] ?? n));
    if (!isRising(bounds) || bounds.at(-1) !== Number.POSITIVE_INFINITY) throw wrong('bounds');
    if (!isRising(buckets.map(({ value }) => value))) throw wrong('buckets that do not add up');
  }
}
