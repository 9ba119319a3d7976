import { UserError } from '@cutline/shared/errors';

/** Words, numbers, texts and signs of a condition, with where they stand. */
export interface Token {
  kind: 'name' | 'keyword' | 'number' | 'text' | 'sign' | 'end';
  /** Of keywords in small letters; of a text what it means. */
  text: string;
  /** Of its first character, from 0. */
  at: number;
}

const keywords = new Set(['and', 'or', 'not', 'in', 'like', 'contains', 'is', 'null']);

/** One a kind, each of which matches from where the last ended. */
const patterns: readonly [kind: Token['kind'] | 'space', pattern: RegExp][] = [
  ['space', /\s+/y],
  ['number', /-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w.])/iy],
  ['name', /[a-z_][\w.]*/iy],
  ['text', /'(?:[^']|'')*'/y],
  ['sign', /<=|>=|<>|!=|==|[=<>(),]/y],
];

/** @throws UserError that points at what is none of these */
export function tokensOf(condition: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < condition.length) {
    const found = patterns.flatMap(([kind, pattern]) => {
      pattern.lastIndex = at;
      const text = pattern.exec(condition)?.[0];
      return text === undefined ? [] : [{ kind, text }];
    })[0];
    if (!found) throw misunderstood(condition, at, whatIsWrong(condition, at));
    const { kind, text } = found;
    if (kind !== 'space') tokens.push({ ...tokenOf(kind, text), at });
    at += text.length;
  }
  return [...tokens, { kind: 'end', text: 'the end', at }];
}

function tokenOf(kind: Token['kind'], text: string): Pick<Token, 'kind' | 'text'> {
  if (kind === 'text') return { kind, text: text.slice(1, -1).replaceAll("''", "'") };
  const word = text.toLowerCase();
  return kind === 'name' && keywords.has(word) ? { kind: 'keyword', text: word } : { kind, text };
}

function whatIsWrong(condition: string, at: number): string {
  const character = String.fromCodePoint(condition.codePointAt(at) ?? 0);
  if (character === "'") return "this text has no end: expected a '";
  if (character === '"') return "texts stand in single quotation marks: 'like this'";
  return `expected a column, a number, a 'text' or a sign, found ${JSON.stringify(character)}`;
}

/** Says where, in one line: by number, and by what stands there. */
export function misunderstood(condition: string, at: number, why: string): UserError {
  const shown = shorten(condition.slice(at).replaceAll(/\s+/g, ' '));
  const place = shown === '' ? 'at its end' : `before ${shown}`;
  return new UserError(`--where, at character ${at + 1} (${place}): ${why}.`);
}

/** What somebody wrote, as far as a line has room for it. */
export function shorten(text: string): string {
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}

const shownMax = 30;
