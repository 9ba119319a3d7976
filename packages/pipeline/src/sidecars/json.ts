import { createHash } from 'node:crypto';
import type { SidecarRow } from './sidecar-row.ts';

/** JSON sidecars: the row, and the run that it is of, with a digest by which it is known again. */

const noDigest = '0'.repeat(64);

export function formatJson(row: SidecarRow, run: string): string {
  const text = `${JSON.stringify({ cutline: { run, digest: noDigest }, ...row }, undefined, 2)}\n`;
  return text.replace(noDigest, digestOf(text));
}

/** Whether a file is Cutline's own, and as it was written. */
export function isOwnJson(text: string): boolean {
  const digest = /^\{\n {2}"cutline": \{\n.*\n {4}"digest": "([0-9a-f]{64})"/.exec(text)?.[1];
  return digest !== undefined && digestOf(text.replace(digest, noDigest)) === digest;
}

/** @param text with zeros for its digest */
function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
