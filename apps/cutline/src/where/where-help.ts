import { columns } from '../export/columns.ts';

/** What is said of conditions below the help of commands that take them. */
export const whereHelp = `
Conditions are tests of columns, joined by and, or, not and parentheses:
  score < -3 or caption like '%dog%'     =, !=, <, <=, >, >=; % is any text,
                                         _ one character
  class in ('timeout', 'unavailable')    not in, not like, not contains
  keywords contains 'flag'               a list has it; a text has it in it
  altText is not null                    what is null passes no other test
Texts stand in single quotation marks, '' for one of them; capitals count.
Columns: ${wrapped([...columns.map(({ name }) => name), 'source.<column>'])}.`;

function wrapped(names: readonly string[]): string {
  const lines = ['Columns:'];
  for (const name of names) {
    const last = lines.length - 1;
    const word = name === names.at(-1) ? name : `${name},`;
    if (`${lines[last]} ${word}`.length > 79) lines.push(` ${word}`);
    else lines[last] = `${lines[last]} ${word}`;
  }
  return lines.join('\n').replace(/^Columns: /, '');
}
