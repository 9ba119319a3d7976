import { readFileSync, writeFileSync } from 'node:fs';
import { overview } from './source/overview.mjs';
import { decoders, encoders } from './source/pools.mjs';
import { queues } from './source/queues.mjs';
import { run } from './source/run.mjs';

/**
 * Writes dashboards/*.json from source/*.mjs: node infra/grafana/generate.mjs
 *
 * The same source makes the same bytes. With --check it writes nothing, and ends with status 1
 * where a file is not what the source says.
 */
const check = process.argv.includes('--check');
for (const dashboard of [overview, run, encoders, decoders, queues]) {
  const file = new URL(`dashboards/${dashboard.uid}.json`, import.meta.url);
  const text = `${JSON.stringify(dashboard, undefined, 2)}\n`;
  if (!check) writeFileSync(file, text);
  else if (readFileSync(file, 'utf8') !== text) {
    process.stderr.write(
      `${file.pathname} is not what its source says: node infra/grafana/generate.mjs\n`,
    );
    process.exitCode = 1;
  }
}
