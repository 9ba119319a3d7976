import { UserError } from '../../errors.ts';

/** A key has at most 1024 bytes; a row of results with all its candidates, some thousands. */
const lineLengthMax = 64 * 1024;

/**
 * The lines of a text, without line ends and byte order mark, in time proportional to its length:
 * a piece of a line is looked at once, however many pieces the line comes in. They come as many at
 * a time as end in a piece of the text. `readline` would not tell of errors of its stream.
 *
 * @param name of the text, for messages
 * @throws UserError with the number of a line that is longer than 64 KB
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<string[]> {
  const decoder = new TextDecoder(); // which takes the byte order mark away
  let rest = '';
  let line = 1;
  const checked = (text: string) => {
    if (text.length <= lineLengthMax) return text;
    throw new UserError(
      `${name}, line ${line}: longer than ${lineLengthMax / 1024} KB. Expected one key a line.`,
    );
  };
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true });
    const lines: string[] = [];
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      lines.push(withoutReturn(checked(rest + text.slice(start, end))));
      line += 1;
      rest = '';
      start = end + 1;
    }
    rest = checked(rest + text.slice(start));
    yield lines;
  }
  rest += decoder.decode();
  if (rest !== '') yield [rest];
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
