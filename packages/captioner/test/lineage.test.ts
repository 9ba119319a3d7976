import { traceLineage } from '@cutline/captioner';
import { describe, expect, it } from 'vitest';

describe('traceLineage', () => {
  it('names each parent once, in the order in which hypotheses need them', () => {
    expect(traceLineage(Int32Array.of(1, 0, 1, 5, 5, 3))).toEqual({
      parents: Int32Array.of(1, 0, 5, 3),
      parentOf: Int32Array.of(0, 1, 0, 2, 2, 3),
      childOf: Int32Array.of(0, 1, 3, 5),
    });
  });

  it('leads from hypotheses to their parents, and from parents to a child of theirs', () => {
    const chosen = Int32Array.of(4, 4, 2, 0, 2, 7, 7, 7);
    const { parents, parentOf, childOf } = traceLineage(chosen);
    expect(parentOf.map((place) => parents[place] as number)).toEqual(chosen);
    expect(childOf.map((child) => chosen[child] as number)).toEqual(parents);
  });
});
