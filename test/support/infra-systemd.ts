import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The units of infra/systemd, as systemd reads them: each with what all services share. */

export const systemdFolder = fileURLToPath(new URL('../../infra/systemd/', import.meta.url));

/** By `Section.Key`; a key that stands more than once has all its values. */
export type Unit = Map<string, string[]>;

export const serviceNames = readdirSync(systemdFolder).filter((name) => name.endsWith('.service'));

export function readService(name: string): Unit {
  const unit: Unit = new Map();
  for (const file of ['cutline-.service.d/cutline.conf', name]) addTo(unit, file);
  return unit;
}

function addTo(unit: Unit, file: string): void {
  let section = '';
  for (const line of readFileSync(systemdFolder + file, 'utf8').split('\n')) {
    const [, named] = /^\[(\w+)\]$/.exec(line) ?? [];
    if (named) section = named;
    if (named || line === '' || line.startsWith('#')) continue;
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (!key) throw new Error(`${file} has a line that is no setting: ${line}`);
    const name = `${section}.${key}`;
    unit.set(name, [...(unit.get(name) ?? []), value as string]);
  }
}
