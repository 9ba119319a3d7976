import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** compose.yaml and what is laid over it, read as Docker Compose reads them. */

const infra = new URL('../../infra/', import.meta.url);

export interface Service {
  image: string;
  build?: { context?: string; dockerfile?: string; target?: string; args?: Record<string, string> };
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string | null>;
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
  restart?: string;
  stop_grace_period?: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  secrets?: string[];
  deploy?: { resources: { limits?: { cpus?: string; memory?: string } } };
}

export interface Compose {
  services: Record<string, Service>;
  volumes?: Record<string, null>;
  secrets?: Record<string, { file: string }>;
}

export function readCompose(file: 'compose.yaml' | 'compose.gpu.yaml'): Compose {
  // `$$` is a plain `$`.
  const text = readFileSync(new URL(file, infra), 'utf8').replaceAll('$$', () => '$');
  return parse(text, { merge: true });
}
