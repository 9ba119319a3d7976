/**
 * A URL without its secrets, for messages and logs: on one line, without user and password, and
 * without the values of queries that are named like one. What is malformed, and so could not be
 * used, is shown all the same, and hides more rather than less: `redis://:secret`, where the host
 * was forgotten, is `redis://***`.
 */
export function redactUrl(url: string): string {
  const text = url.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
  const [scheme = ''] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text) ?? [];
  const rest = text.slice(scheme.length);
  const at = rest.lastIndexOf('@');
  // What follows the last "@" may be the end of a password, too.
  if (/[?&;][^=]*=/.test(rest.slice(0, at + 1))) return `${scheme}***`;
  const shown = rest.slice(at + 1).replaceAll(query, hideIfSecret);
  if (at >= 0) return `${scheme}***@${shown}`;
  const [authority = ''] = /^[^/?#]*/.exec(shown) ?? [];
  // A cluster and its sentinels are named by several hosts.
  const areHosts = authority.split(',').every((host) => isHost.test(host));
  if (scheme === '' || areHosts) return scheme + shown;
  return `${scheme}***${shown.slice(authority.length)}`;
}

const query = /([?&;])([^=&;#]*)=([^&#]*)/g;
const secretName = /pass|pwd|user|token|secret|auth|key|sign|credential/i;
/** A name or an address, and a port. */
const isHost = /^(\[[0-9a-f:.%]*\]|[^:]*)(:\d*)?$/i;

function hideIfSecret(whole: string, mark: string, name: string): string {
  return secretName.test(decoded(name)) ? `${mark}${name}=***` : whole;
}

/** `p%61ssword` is a password, too; what cannot be decoded is taken for one. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return 'password';
  }
}
