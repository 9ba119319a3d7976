import { describeError, redisReplyCode, UserError } from '@cutline/shared/errors';
import { type RedisAddress, redactUrl } from '@cutline/shared/process';

/** What OpenSSL says of certificates, by the codes that Node.js gives it. */
const distrust =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_CERT)/;

/** What a sentinel says that watches other masters. */
const unknownMaster = /No such master|invalid reply: null/;

/**
 * One line for why Redis could not be connected to, and what to do about it.
 * @param causes what ioredis told of, the server's nodes and sentinels included, and threw at last.
 */
export function explainRefusal(
  causes: readonly unknown[],
  { url: secretUrl, address, setting }: { url: string; address: RedisAddress; setting: string },
): UserError {
  const error = mostTelling(causes);
  const reason = describeError(error);
  const url = redactUrl(secretUrl);
  const say = (text: string) => new UserError(text, { cause: error });

  if (isDistrust(error)) {
    return say(
      `The certificate of Redis at ${url} is not trusted (${reason}): if its authority is your ` +
        "own, name the authority's certificate in NODE_EXTRA_CA_CERTS.",
    );
  }
  if (/NOAUTH/.test(reason)) {
    return say(
      address.kind === 'sentinel' && address.password !== undefined && !address.sentinelAuth
        ? `A sentinel or Redis at ${url} wants a password: if sentinels want the same as Redis, ` +
            `add ?sentinel-auth=true to ${setting}.`
        : `Redis at ${url} wants a password: write it into ${setting}, as ` +
            `${scheme(address)}://:password@host:port.`,
    );
  }
  if (/WRONGPASS|ERR AUTH|invalid password/.test(reason)) {
    return say(`Redis at ${url} refuses the user or the password: correct them in ${setting}.`);
  }
  if (/NOPERM/.test(reason)) {
    return say(
      `Redis at ${url} does not let this user do what queues need (${reason}): grant it, as ` +
        'infra/redis/users.acl does.',
    );
  }
  if (unknownMaster.test(reason)) {
    return say(
      `The sentinels at ${url} know no master "${address.masterName}": correct ${setting}.`,
    );
  }
  if (/cluster support disabled/.test(reason)) {
    return say(
      `Redis at ${url} is no cluster: write ${scheme({ ...address, kind: 'server' })}://.`,
    );
  }
  if (/RESP type|wrong version number|packet length/.test(reason)) {
    return say(
      `What answers at ${url} does not speak as Redis does (${reason}): correct ${setting}.`,
    );
  }
  const code = redisReplyCode(error);
  if (code !== undefined) {
    return say(`Redis at ${url} is reached, but not ready (${reason}): try again later.`);
  }
  return say(
    `Cannot reach Redis at ${url} (${reason}): start it (redis-server --maxmemory-policy ` +
      `noeviction), or correct ${setting}${hint(reason, address)}.`,
  );
}

/** Whoever is spoken to with TLS and has none, or the other way round, is silent or hangs up. */
function hint(reason: string, address: RedisAddress): string {
  if (!/no answer|Connection is closed|ECONNRESET/.test(reason)) return '';
  const other = scheme({ ...address, tls: !address.tls });
  return `; if it ${address.tls ? 'has no' : 'wants'} TLS, write ${other}://`;
}

/** What a server said, rather than that there was none; and of what there was, not the sum. */
function mostTelling(causes: readonly unknown[]): unknown {
  const says = (error: unknown) =>
    isDistrust(error) ||
    redisReplyCode(error) !== undefined ||
    unknownMaster.test(describeError(error));
  const sumsUp = (error: unknown) =>
    /^(Connection is closed|All sentinels|Failed to refresh|None of startup)/.test(
      describeError(error),
    );
  return causes.find(says) ?? causes.find((error) => !sumsUp(error)) ?? causes.at(-1);
}

function isDistrust(error: unknown): boolean {
  return error instanceof Error && distrust.test(String((error as NodeJS.ErrnoException).code));
}

function scheme({ kind, tls }: RedisAddress): string {
  return `redis${tls ? 's' : ''}${kind === 'server' ? '' : `+${kind}`}`;
}
