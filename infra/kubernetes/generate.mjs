import { readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';

/**
 * Writes components/monitoring/prometheus-rule.yaml: the rules of infra/prometheus as Prometheus
 * Operator takes them, which can refer to no file: node infra/kubernetes/generate.mjs
 *
 * With --check it writes nothing, and ends with status 1 where the file is not what they say.
 */
const read = (/** @type {string} */ path) => readFileSync(new URL(path, import.meta.url), 'utf8');
const sources = ['alerts.yml', 'scaling.yml'];
const rule = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name: 'cutline' },
  spec: { groups: sources.flatMap((name) => parse(read(`../prometheus/${name}`)).groups) },
};
const text =
  `# Made by infra/kubernetes/generate.mjs from infra/prometheus (${sources.join(', ')}): change those.\n` +
  stringify(rule, { lineWidth: 0, aliasDuplicateObjects: false });

const file = 'components/monitoring/prometheus-rule.yaml';
if (!process.argv.includes('--check')) writeFileSync(new URL(file, import.meta.url), text);
else if (read(file) !== text) {
  process.stderr.write(`infra/kubernetes/${file} is old: node infra/kubernetes/generate.mjs\n`);
  process.exitCode = 1;
}
