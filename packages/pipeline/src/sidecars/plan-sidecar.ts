import { type SidecarKind, type SidecarRules, sha256 } from '@cutline/shared/run';
import { formatJson, isOwnJson } from './json.ts';
import type { SidecarRow } from './sidecar-row.ts';
import { formatXmp, isOwnXmp, mergeXmp } from './xmp.ts';

/** What is to be done about one sidecar. */
export type SidecarPlan =
  /** Where there is nothing, or, with an ETag, in place of exactly that. */
  | { action: 'write'; bytes: Buffer; etag: string | undefined }
  | { action: 'merge'; bytes: Buffer; etag: string; inserted: string }
  /** What is there is somebody's own. */
  | { action: 'keep' }
  /** What is there is what would be written, or was added. */
  | { action: 'none'; isMerged: boolean };

/** A file that is there already. */
export interface FoundFile {
  /** undefined of one that cannot be read, or is larger than any sidecar. */
  bytes: Buffer | undefined;
  etag: string | undefined;
}

/**
 * @param found undefined where there is no file
 * @param isRecorded whether this run is known to have written just these bytes before
 */
export function planSidecar(
  {
    row,
    run,
    kind,
    rules,
  }: { row: SidecarRow; run: string; kind: SidecarKind; rules: SidecarRules },
  found: FoundFile | undefined,
  isRecorded: (sha256: string) => boolean,
): SidecarPlan {
  const bytes = Buffer.from(formatSidecar(row, run, kind));
  if (found === undefined) return { action: 'write', bytes, etag: undefined };
  const { etag } = found;
  if (etag === undefined) return { action: 'keep' };
  if (found.bytes === undefined) {
    return rules.existing === 'replace' ? { action: 'write', bytes, etag } : { action: 'keep' };
  }
  const text = decodeText(found.bytes);
  const isMarked = text !== undefined && (ownTests[kind]?.(text) ?? false);
  const isOwn = isMarked || isRecorded(sha256(found.bytes));
  if (isOwn && found.bytes.equals(bytes)) return { action: 'none', isMerged: false };
  if (isOwn || rules.existing === 'replace') return { action: 'write', bytes, etag };
  if (kind === 'xmp' && rules.existing === 'merge' && text !== undefined) {
    const merged = mergeXmp(text, row, run);
    if (merged?.text === text) return { action: 'none', isMerged: true };
    if (merged) {
      const { inserted } = merged;
      return { action: 'merge', bytes: Buffer.from(merged.text), etag, inserted };
    }
  }
  return { action: 'keep' };
}

/** A caption alone cannot say whose it is: the run's records do. */
const ownTests: Record<SidecarKind, ((text: string) => boolean) | undefined> = {
  txt: undefined,
  json: isOwnJson,
  xmp: isOwnXmp,
};

function formatSidecar(row: SidecarRow, run: string, kind: SidecarKind): string {
  if (kind === 'txt') return `${row.caption}\n`;
  return kind === 'json' ? formatJson(row, run) : formatXmp(row, run);
}

/** undefined for what is not UTF-8: it would not be the same when it is written again. */
function decodeText(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : undefined;
}
