/**
 * A key, as a person reads it. Keys are any Unicode text: control characters get a visible sign,
 * a path reads from the left whatever the script of its names, and the button copies the exact key.
 */
import { visibleKey } from '../loopback/client/visible-key.ts';
import { type Html, html } from '../page/html.ts';

/** @param original the URL of the image itself, where it is known */
export function keyLine(key: string, original: string | undefined): Html {
  const shown = visibleKey(key);
  const name = html`<bdi dir="ltr">${shown}</bdi>`;
  const linked = original === undefined ? name : html`<a href="${original}">${name}</a>`;
  return html`<p class="key"><code title="${key}">${linked}</code><button type="button" class="copy" data-key="${key}" aria-label="Copy the key ${shown}">Copy</button></p>`;
}
