import { closestName } from '@cutline/shared/process';
import type { Column } from '../export/columns.ts';
import { type Condition, negate, type Test } from './condition.ts';
import { misunderstood, shorten, type Token, tokensOf } from './tokens.ts';

/**
 * Conditions as `--where` takes them, a small part of what SQL has after that word:
 *
 *   condition  = either { "or" either }
 *   either     = one { "and" one }
 *   one        = "not" one | "(" condition ")" | column test
 *   test       = ( "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) value
 *              | [ "not" ] "in" "(" value { "," value } ")"
 *              | [ "not" ] ( "like" | "contains" ) 'text'
 *              | "is" [ "not" ] "null"
 *   value      = number | 'text', in which '' is one quotation mark
 *
 * @throws UserError that points at what is not understood, or compares what has no order
 */
export function parseCondition(condition: string, columns: readonly Column[]): Condition {
  return new Parser(condition, columns).parse();
}

type Kind = 'text' | 'number' | 'list';

/** Levels of parentheses and `not`: more than anybody types. */
const depthMax = 100;

class Parser {
  readonly #condition: string;
  readonly #columns: ReadonlyMap<string, Kind>;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(condition: string, columns: readonly Column[]) {
    this.#condition = condition;
    this.#columns = new Map(columns.map(({ name, kind }) => [name, kindOf(kind)]));
    this.#tokens = tokensOf(condition);
  }

  parse(): Condition {
    const condition = this.#either();
    if (this.#token.kind !== 'end') throw this.#unexpected(this.#afterTest());
    return condition;
  }

  #either(): Condition {
    return this.#joined('or', () => this.#joined('and', () => this.#one()));
  }

  #joined(kind: 'and' | 'or', parse: () => Condition): Condition {
    const of = [parse()];
    while (this.#takes('keyword', kind)) of.push(parse());
    return of.length === 1 ? of[0]! : { kind, of };
  }

  #one(): Condition {
    this.#depth += 1;
    if (this.#depth > depthMax) throw this.#unexpected('a condition that is not so deep');
    try {
      if (this.#takes('keyword', 'not')) return negate(this.#one());
      if (!this.#takes('sign', '(')) return this.#test();
      const inner = this.#either();
      this.#require('sign', ')');
      return inner;
    } finally {
      this.#depth -= 1;
    }
  }

  #test(): Condition {
    const { text: column, kind: found, at } = this.#token;
    if (found !== 'name') throw this.#unexpected('a column');
    const kind = isCarried(column) ? 'text' : this.#columns.get(column);
    if (!kind) throw misunderstood(this.#condition, at, this.#unknown(column));
    this.#next += 1;
    if (this.#takes('keyword', 'is')) {
      const isNegated = this.#takes('keyword', 'not');
      this.#require('keyword', 'null');
      return { kind: 'test', column, isNegated, test: 'null' };
    }
    const isNegated = this.#takes('keyword', 'not');
    const test = this.#testOf(column, kind, isNegated);
    return isNegated ? negate(test) : test;
  }

  #testOf(column: string, kind: Kind, isNegated: boolean): Test {
    const base = { kind: 'test', column, isNegated: false } as const;
    if (this.#takes('keyword', 'contains')) {
      if (kind === 'number') throw this.#unsuited(`${column} is a number, which contains nothing`);
      return { ...base, test: 'contains', text: this.#text() };
    }
    if (kind === 'list') {
      throw this.#unsuited(`${column} is a list: expected contains 'text', or is null`);
    }
    if (this.#takes('keyword', 'like')) {
      if (kind === 'number') throw this.#unsuited(`${column} is a number: expected <, =, in, …`);
      return { ...base, test: 'like', pattern: this.#text() };
    }
    if (this.#takes('keyword', 'in')) {
      return { ...base, test: 'in', values: this.#values(column, kind) };
    }
    if (isNegated) throw this.#unexpected('in, like or contains after not');
    return this.#comparison(column, kind);
  }

  #comparison(column: string, kind: Kind): Test {
    const sign = this.#token;
    const comparison = sign.kind === 'sign' ? comparisons[sign.text] : undefined;
    if (!comparison) throw this.#unexpected('=, !=, <, <=, >, >=, in, like, contains or is');
    this.#next += 1;
    return { kind: 'test', column, ...comparison, value: this.#value(column, kind) };
  }

  #values(column: string, kind: Kind): (string | number)[] {
    this.#require('sign', '(');
    const values = [this.#value(column, kind)];
    while (this.#takes('sign', ',')) values.push(this.#value(column, kind));
    this.#require('sign', ')');
    return values;
  }

  #value(column: string, kind: Kind): string | number {
    const { kind: found, text } = this.#token;
    if (found === 'keyword' && text === 'null') {
      throw this.#unexpected(`a value (of what is not there, the test is: ${column} is null)`);
    }
    if (kind === 'number' && found !== 'number')
      throw this.#unexpected(`a number, as ${column} is`);
    if (kind === 'text' && found !== 'text') {
      throw this.#unexpected(`a text in single quotation marks, as ${column} is`);
    }
    this.#next += 1;
    return kind === 'number' ? Number(text) : text;
  }

  #text(): string {
    const { kind, text } = this.#token;
    if (kind !== 'text') throw this.#unexpected("a text in single quotation marks: 'dog'");
    this.#next += 1;
    return text;
  }

  get #token(): Token {
    return this.#tokens[this.#next]!;
  }

  #takes(kind: Token['kind'], text: string): boolean {
    const isThere = this.#token.kind === kind && this.#token.text === text;
    if (isThere) this.#next += 1;
    return isThere;
  }

  #require(kind: Token['kind'], text: string): void {
    if (!this.#takes(kind, text)) throw this.#unexpected(text);
  }

  /** What may stand where a test has ended: more often than not after a number with a comma. */
  #afterTest(): string {
    const isComma = this.#tokens[this.#next - 1]?.kind === 'number' && this.#token.text === ',';
    return isComma ? 'a decimal point (-1.2)' : '"and", "or" or the end';
  }

  #unexpected(expected: string): Error {
    const { kind, text, at } = this.#token;
    const found = kind === 'text' ? `'${shorten(text)}'` : shorten(text);
    return misunderstood(this.#condition, at, `expected ${expected}, found ${found}`);
  }

  /** About what stands before. */
  #unsuited(why: string): Error {
    return misunderstood(this.#condition, this.#tokens[this.#next - 1]?.at ?? 0, why);
  }

  #unknown(name: string): string {
    const names = [...this.#columns.keys()];
    const meant = closestName(shorten(name), names);
    return `there is no column ${shorten(name)}, but ${meant ?? names.join(', ')}`;
  }
}

const comparisons: Record<string, Pick<Test & { test: 'less' }, 'isNegated'> & { test: Order }> = {
  '=': { test: 'equal', isNegated: false },
  '==': { test: 'equal', isNegated: false },
  '!=': { test: 'equal', isNegated: true },
  '<>': { test: 'equal', isNegated: true },
  '<': { test: 'less', isNegated: false },
  '>=': { test: 'less', isNegated: true },
  '<=': { test: 'less or equal', isNegated: false },
  '>': { test: 'less or equal', isNegated: true },
};

/** What rows carry of a list of keys: texts. */
function isCarried(column: string): boolean {
  return column.startsWith('source.');
}

type Order = 'less' | 'less or equal' | 'equal';

function kindOf(kind: Column['kind']): Kind {
  if (kind === 'text') return 'text';
  return kind === 'texts' || kind === 'candidates' ? 'list' : 'number';
}
