import { randomUUID } from 'node:crypto';
import type { Decision, Judgement } from '@cutline/shared/run';
import { captionedRow, time } from './example-run.ts';

/** Decisions, for tests that care for one field or two. */

/** @param second after the example's time */
export function accepted(key: string, who = 'anna', second = 0): Judgement {
  const { caption: shown } = captionedRow(key);
  return { ...fieldsOf(key, who, second), decision: 'accepted', shown };
}

export function rejected(key: string, who = 'anna', second = 0): Judgement {
  return { ...accepted(key, who, second), decision: 'rejected' } as Judgement;
}

export function corrected(key: string, caption: string, who = 'anna', second = 0): Judgement {
  const { caption: shown } = captionedRow(key);
  return { ...fieldsOf(key, who, second), decision: 'corrected', shown, caption };
}

export function undone({ id, key, etag, who }: Judgement, second = 9): Decision {
  return { ...fieldsOf(key, who, second), etag, decision: 'undone', undoes: id };
}

function fieldsOf(key: string, who: string, second: number) {
  const at = new Date(Date.parse(time) + second * 1000).toISOString();
  return { id: randomUUID(), key, etag: `etag-${key}`, who, at };
}
