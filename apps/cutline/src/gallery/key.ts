/**
 * A key, as a person reads it. Keys are any Unicode text: control characters get a visible sign,
 * a path reads from the left whatever the script of its names, and the button copies the exact key.
 */
import { type Html, html } from './html.ts';

export function keyLine(key: string): Html {
  return html`<p class="key"><code title="${key}"><bdi dir="ltr">${visible(key)}</bdi></code><button type="button" class="copy" data-key="${key}" aria-label="Copy the key ${visible(key)}">Copy</button></p>`;
}

/** Control characters as the Unicode block of their pictures: a line feed is ␊. */
function visible(key: string): string {
  return Array.from(key, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? '␡' : character;
  }).join('');
}
