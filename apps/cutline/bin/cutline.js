#!/usr/bin/env node
import { existsSync } from 'node:fs';

if (!existsSync(new URL('../dist/main.js', import.meta.url))) {
  process.stderr.write('cutline: not built yet. Run: npm run build\n');
  process.exit(2);
}
await import('../dist/main.js');
