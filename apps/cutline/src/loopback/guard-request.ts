/**
 * Who may speak with the server of a page of ours. It listens on the loopback address, where three
 * kinds of strangers may reach it: other people's processes on the machine, pages of any site in the
 * user's own browser, and such pages under a name of theirs that resolves to 127.0.0.1 (DNS
 * rebinding). So:
 *
 * - `Host` must be a loopback name, or one that the person who started it named;
 * - what a browser says of where a request comes from (`Origin`, `Sec-Fetch-Site`) must be this page;
 * - whatever is said of the run takes a token, which only the terminal shows. It travels in a header
 *   and never in a cookie, which browsers would add by themselves, also for other ports.
 */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { RefusedError } from './refused-error.ts';

const loopbackNames = new Set(['127.0.0.1', 'localhost', '[::1]']);

/**
 * @param allowedHosts besides the loopback names
 * @throws RefusedError `forbidden`
 */
export function requireOwnPage(headers: IncomingHttpHeaders, allowedHosts: readonly string[]) {
  const { host = '', origin } = headers;
  const name = host.toLowerCase().replace(/:\d+$/, '');
  if (!loopbackNames.has(name) && !allowedHosts.includes(name)) {
    throw new RefusedError('forbidden', 'This server does not go by that name (see --allow-host).');
  }
  if (origin !== undefined && !isOf(origin, host)) {
    throw new RefusedError('forbidden', 'This server speaks with its own page alone.');
  }
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw new RefusedError('forbidden', 'This server speaks with its own page alone.');
  }
}

/** @throws RefusedError `unauthorised` */
export function requireToken({ authorization = '' }: IncomingHttpHeaders, token: string): void {
  const given = Buffer.from(authorization);
  const expected = Buffer.from(`Bearer ${token}`);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new RefusedError(
      'unauthorised',
      'Open the page by the whole address that its command printed.',
    );
  }
}

/** A proxy may speak https with the browser. */
function isOf(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}
