/**
 * How Redis is named, in a setting of one line:
 *
 *   redis://user:password@host:port/db                        a server; port 6379, database 0
 *   redis+cluster://user:password@host:port,host:port         some of a cluster's nodes
 *   redis+sentinel://user:password@host:port,host:port/name   sentinels (port 26379), and the name
 *                                                             that they know the master by
 *
 * `rediss` in place of `redis` is TLS, of sentinels too. Whatever Node.js trusts is trusted:
 * certificates of a private authority are added with NODE_EXTRA_CA_CERTS. User and password are
 * optional and percent-encoded. `/name/db` names a database behind sentinels as well; a cluster
 * has but one. `?sentinel-auth=true` says that the sentinels want the same user and password.
 */
export interface RedisAddress {
  kind: 'server' | 'cluster' | 'sentinel';
  tls: boolean;
  username?: string;
  password?: string;
  /** One; or at least one of a cluster's nodes, or of the sentinels. */
  nodes: { host: string; port: number }[];
  /** Number of the database. */
  db: number;
  /** What sentinels know the master by. */
  masterName?: string;
  /** Whether sentinels want the same user and password. */
  sentinelAuth: boolean;
}

type Groups = { kind?: RedisAddress['kind'] } & Partial<
  Record<'s' | 'user' | 'hosts' | 'path' | 'query', string>
>;

const forms =
  'expected redis://host:port, redis+cluster://host:port,host:port or ' +
  'redis+sentinel://host:port,host:port/master, or the same with rediss for TLS';

/** Whether a text is meant to be such a URL, right or wrong. */
export function isRedisUrl(text: string): boolean {
  return /^rediss?(\+[a-z]+)?:/.test(text);
}

/** @throws RangeError that says what was expected and does not repeat the URL, which is secret. */
export function parseRedisUrl(url: string): RedisAddress {
  if (/^(unix|redis\+unix|redis\+socket):|^\//.test(url)) {
    throw new RangeError(`${forms}; sockets of Unix are not supported`);
  }
  const match =
    /^redis(?<s>s?)(\+(?<kind>cluster|sentinel))?:\/\/((?<user>[^/?#]*)@)?(?<hosts>[^/?#@]+)(\/(?<path>[^?#]*))?(\?(?<query>[^#]*))?$/.exec(
      url,
    )?.groups as Groups | undefined;
  if (!match) throw new RangeError(forms);
  const { s, kind = 'server', user = '', hosts = '', path = '', query = '' } = match;
  const names = hosts.split(',');
  if (kind === 'server' && names.length > 1) {
    throw new RangeError(
      'expected one host after redis://; several are redis+cluster:// or redis+sentinel://',
    );
  }
  return {
    kind,
    tls: s === 's',
    ...parseUser(user),
    nodes: names.map((name) => parseHost(name, kind === 'sentinel' ? 26_379 : 6_379)),
    ...parsePath(path, kind),
    sentinelAuth: parseQuery(query, kind),
  };
}

function parseUser(text: string): Pick<RedisAddress, 'username' | 'password'> {
  const [username = '', ...rest] = text.split(':');
  const password = rest.join(':');
  return {
    ...(username !== '' && { username: decode(username) }),
    ...(password !== '' && { password: decode(password) }),
  };
}

function parseHost(text: string, portDefault: number): { host: string; port: number } {
  const [, host = '', port] = /^(\[[\da-fA-F:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const number = port === undefined ? portDefault : Number(port);
  if (host === '' || number < 1 || number > 65_535) throw new RangeError(forms);
  return { host: host.replace(/^\[|\]$/g, ''), port: number };
}

function parsePath(
  path: string,
  kind: RedisAddress['kind'],
): Pick<RedisAddress, 'db' | 'masterName'> {
  const parts = path.split('/').filter((part) => part !== '');
  const masterName = kind === 'sentinel' ? decode(parts.shift() ?? '') : undefined;
  if (masterName === '') {
    throw new RangeError(
      'expected the name of the master at the end of redis+sentinel://host:port/master',
    );
  }
  const [db = '0', ...more] = parts;
  if (kind === 'cluster' && parts.length > 0) {
    throw new RangeError(
      'expected nothing after the hosts of redis+cluster://, since a cluster has no numbered databases',
    );
  }
  if (!/^\d{1,6}$/.test(db) || more.length > 0) {
    throw new RangeError('expected the number of a database, if anything, after the last /');
  }
  return { db: Number(db), ...(masterName !== undefined && { masterName }) };
}

function parseQuery(query: string, kind: RedisAddress['kind']): boolean {
  if (query === '') return false;
  if (kind === 'sentinel' && /^sentinel-auth=(true|false)$/.test(query)) {
    return query === 'sentinel-auth=true';
  }
  throw new RangeError(
    'expected no parameters after ?, but for sentinel-auth=true of redis+sentinel://',
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RangeError(
      'expected user, password and name percent-encoded: %25 for %, %40 for @, %2F for /',
    );
  }
}
