/**
 * HTML that is safe by construction: whatever is put into an `html` template is escaped, except
 * what is itself `Html`. Keys and captions come from strangers, and the page must show them as
 * they are: `<script>` in a key is nine characters and no script.
 */

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type HtmlValue = Html | string | number | undefined | readonly HtmlValue[];

/** Escapes values, joins lists, leaves `undefined` out. Attribute values must be in quotes. */
export function html(pieces: TemplateStringsArray, ...values: HtmlValue[]): Html {
  let text = pieces[0] ?? '';
  for (const [index, value] of values.entries()) text += render(value) + (pieces[index + 1] ?? '');
  return new Html(text);
}

function render(value: HtmlValue): string {
  if (value === undefined) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(render).join('');
  return escapeHtml(String(value));
}

const references: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  // A parser turns a raw carriage return into a line feed; in a key they differ.
  '\r': '&#13;',
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"'\r]/g, (character) => references[character] ?? character);
}
