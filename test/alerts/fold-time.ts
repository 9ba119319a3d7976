import { parse, stringify } from 'yaml';

/**
 * The rules that ship, with time folded: what is a minute in them lasts `secondsAMinute`, so that an
 * alert that waits for a quarter of an hour can be seen to fire. Folded are `for`, the ranges and
 * offsets of queries, and the one threshold that is a time of such a length; what is measured (a
 * share, a rate, the lag of an event loop) is what it is.
 */
export function foldTime(rules: string, secondsAMinute: number): string {
  const file = parse(rules);
  const fold = (duration: string) => `${Math.round(secondsOf(duration) * share * 1000)}ms`;
  const share = secondsAMinute / 60;
  for (const rule of file.groups.flatMap(({ rules }: { rules: Rule[] }) => rules) as Rule[]) {
    if (rule.for) rule.for = fold(rule.for);
    rule.expr = rule.expr
      .replaceAll(/(?<=\[)\d+[smh](?=\])|(?<=offset )\d+[smh]/g, fold)
      .replace(/(?<=cutline_run_idle_seconds\) > )\d+/, (seconds) => String(+seconds * share));
  }
  return stringify(file);
}

interface Rule {
  for?: string;
  expr: string;
}

function secondsOf(duration: string): number {
  const [, n, unit = 's'] = /^(\d+)([smh])$/.exec(duration) ?? [];
  return Number(n) * { s: 1, m: 60, h: 3600 }[unit as 's' | 'm' | 'h'];
}
