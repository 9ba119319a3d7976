/**
 * A condition on the columns of a row, without `not`: that is part of the tests, whose opposites are
 * tests, too. As in SQL, nothing is said of a value that is not there: of it, neither a test nor its
 * opposite holds, but `is null`.
 */
export type Condition =
  | { kind: 'and' | 'or'; of: readonly Condition[] }
  | Test
  /** Holds of every row, as far as is known. */
  | { kind: 'always' };

export type Test = { kind: 'test'; column: string; isNegated: boolean } & (
  | { test: 'less' | 'less or equal' | 'equal'; value: string | number }
  | { test: 'in'; values: readonly (string | number)[] }
  /** Of texts: `%` stands for any characters, `_` for one. */
  | { test: 'like'; pattern: string }
  /** Of texts: has it in it; of lists: has it among its elements. */
  | { test: 'contains'; text: string }
  | { test: 'null' }
);

export function negate(condition: Condition): Condition {
  switch (condition.kind) {
    case 'and':
      return { kind: 'or', of: condition.of.map(negate) };
    case 'or':
      return { kind: 'and', of: condition.of.map(negate) };
    case 'test':
      return { ...condition, isNegated: !condition.isNegated };
    case 'always':
      return condition;
  }
}

export function columnsOf(condition: Condition): Set<string> {
  if (condition.kind === 'test') return new Set([condition.column]);
  if (condition.kind === 'always') return new Set();
  return new Set(condition.of.flatMap((each) => [...columnsOf(each)]));
}

/** What can be said where only some columns are known: holds wherever the condition does. */
export function relax(condition: Condition, isKnown: (column: string) => boolean): Condition {
  if (condition.kind === 'test') return isKnown(condition.column) ? condition : { kind: 'always' };
  if (condition.kind === 'always') return condition;
  const { kind } = condition;
  const of = condition.of.map((each) => relax(each, isKnown));
  if (kind === 'or' && of.some((each) => each.kind === 'always')) return { kind: 'always' };
  const said = of.filter((each) => each.kind !== 'always');
  return said.length > 0 ? { kind, of: said } : { kind: 'always' };
}
