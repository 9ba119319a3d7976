import type { FailureClass } from '@cutline/shared/errors';
import type { Effect, Fault as ProxyFault } from '../support/fault-proxy.ts';
import { accessDenied, slowDown } from '../support/fault-proxy.ts';
import type { Draw, Fault, FaultKind } from './fault.ts';
import { lockMs } from './world.ts';

/** An S3 server that refuses, breaks off, is slow or does not know one any more; a full disk. */
export const storeFaults: readonly FaultKind[] = [
  disturbance('S3 fails (500)', { does: { status: 500, code: 'InternalError' } }),
  disturbance('S3 asks for fewer requests (503)', { does: slowDown }),
  disturbance('connections to S3 are cut', { does: { hangUp: 'unheard' } }),
  disturbance('answers of S3 are lost', { does: { hangUp: 'unanswered' } }),
  disturbance('answers of S3 are cut short', ({ between }) => ({
    operation: 'get',
    does: { cutAfterBytes: between(0, 500) },
  })),
  disturbance('S3 answers slowly', ({ between }) => ({ does: { delayMs: between(100, 1_000) } })),
  {
    ...disturbance('S3 denies access to images (403)', {
      operation: 'get',
      key: /\/photo-/,
      does: accessDenied,
    }),
    weight: 0.5,
  },
  { ...disturbance('S3 denies writing (403)', { operation: 'put', does: accessDenied }) },
  {
    name: 'a write takes longer than a lock',
    draw({ between }) {
      const delayMs = between(1.5 * lockMs, 4 * lockMs);
      const fault: ProxyFault = { operation: 'put', times: 1, does: { delayMs } };
      return interference(`a write takes ${delayMs} ms`, fault, [delayMs, []]);
    },
  },
  {
    name: 'credentials have expired',
    draw({ pick, between }) {
      // Amazon answers with 400, others with 403.
      const does: Effect = { status: pick([400, 403]), code: 'ExpiredToken' };
      return interference(`credentials have expired (${does.status})`, { does }, [
        between(500, 3_000),
        ['access-denied'],
      ]);
    },
  },
  {
    name: 'the disk of the results is full',
    needs: ['disk'],
    weight: 4,
    draw: ({ between }) => ({
      what: 'the disk of the results is full',
      on: 'disk',
      lastsMs: between(300, 4_000),
      begin: ({ disk }) => disk?.fill(),
      heal: ({ disk }) => disk?.makeRoom(),
    }),
  },
];

/** Hits some of the requests for a while, or all. */
function disturbance(name: string, disturbs: ProxyFault | ((draw: Draw) => ProxyFault)): FaultKind {
  return {
    name,
    draw(draw) {
      const { random, pick, between } = draw;
      const share = pick([0.1, 0.3, 1]);
      const fault = typeof disturbs === 'function' ? disturbs(draw) : disturbs;
      const isDenied = 'status' in fault.does && fault.does.status === 403;
      return interference(
        `${name}, of ${share * 100}%`,
        { ...fault, chance: () => random() < share },
        [between(300, 3_000), isDenied ? ['access-denied'] : []],
      );
    },
  };
}

function interference(
  what: string,
  fault: ProxyFault,
  [lastsMs, more]: [number, readonly FailureClass[]],
): Fault {
  let takeAway = () => {};
  return {
    what,
    on: 's3',
    excuses: ['unavailable', ...more],
    lastsMs,
    begin({ pipeline }) {
      takeAway = pipeline.proxy.add(fault);
    },
    heal: () => takeAway(),
  };
}
