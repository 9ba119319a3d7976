import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { forwardRequest } from './forward-request.ts';

/**
 * Stands before an S3 server and lets in whoever signs with the keys that are valid now; and gives
 * these keys to whoever shows the token that is valid now, as a security token service does (IRSA) and
 * as the agent of EKS Pod Identity does.
 */
export interface CredentialGuard {
  readonly endpoint: string;
  /** The newest keys and token. They are valid, and so are those before them, until `expire`. */
  readonly newest: Credentials;
  /** Makes new keys and a new token. */
  renew(): void;
  /** From now on, all but the newest are refused as expired. */
  expire(): void;
  /** Requests to S3 that were refused, and keys that were given away. */
  readonly counts: { refused: number; given: number };
  stop(): Promise<void>;
}

export interface Credentials {
  token: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
}

/** @param onRequest is told each path that is asked of S3, before it is looked at */
export async function startCredentialGuard(
  target: string,
  onRequest: (path: string) => Promise<void> | void,
): Promise<CredentialGuard> {
  const credentials = (n: number): Credentials => ({
    token: `token-${n}`,
    accessKeyId: `KEY${n}`,
    secretAccessKey: `secret-${n}`,
    sessionToken: `session-${n}`,
  });
  let valid = [credentials(1)];
  const newest = () => valid.at(-1) as Credentials;
  const withToken = (token: unknown) => valid.find((each) => each.token === token);
  const counts = { refused: 0, given: 0 };
  const agent = new Agent({ keepAlive: true });

  const assumeRole = async (incoming: IncomingMessage, answer: ServerResponse) => {
    const form = new URLSearchParams(await text(incoming));
    const given = withToken(form.get('WebIdentityToken'));
    if (!given) return refuse(answer, 'ErrorResponse', 'ExpiredTokenException');
    counts.given++;
    const { accessKeyId, secretAccessKey, sessionToken } = given;
    answer
      .writeHead(200, { 'content-type': 'text/xml' })
      .end(
        '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
          `<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${accessKeyId}</AccessKeyId>` +
          `<SecretAccessKey>${secretAccessKey}</SecretAccessKey>` +
          `<SessionToken>${sessionToken}</SessionToken><Expiration>${inAnHour()}</Expiration>` +
          '</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>',
      );
  };
  const giveToPod = (incoming: IncomingMessage, answer: ServerResponse) => {
    const given = withToken(incoming.headers.authorization);
    if (!given) return answer.writeHead(401).end();
    counts.given++;
    const { accessKeyId, secretAccessKey, sessionToken } = given;
    const keys = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey };
    answer
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ ...keys, Token: sessionToken, Expiration: inAnHour() }));
  };
  const guardS3 = async (incoming: IncomingMessage, answer: ServerResponse) => {
    await onRequest(incoming.url ?? '');
    const { authorization = '', 'x-amz-security-token': session } = incoming.headers;
    const key = /Credential=([^/]+)\//.exec(authorization)?.[1];
    if (!valid.some((each) => each.accessKeyId === key && each.sessionToken === session)) {
      counts.refused++;
      incoming.resume();
      return refuse(answer, 'Error', 'ExpiredToken', incoming.method === 'HEAD');
    }
    const response = await forwardRequest(incoming, answer, { target, agent });
    answer.writeHead(response.statusCode ?? 502, response.headers);
    await pipeline(response, answer);
  };

  const server = createServer((incoming, answer) => {
    const handle =
      incoming.url === '/' ? assumeRole : incoming.url === '/credentials' ? giveToPod : guardS3;
    Promise.resolve(handle(incoming, answer)).catch(() => answer.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get newest() {
      return newest();
    },
    renew() {
      valid.push(credentials(Number(newest().token.slice('token-'.length)) + 1));
    },
    expire() {
      valid = [newest()];
    },
    counts,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      agent.destroy();
    },
  };
}

function inAnHour(): string {
  return new Date(Date.now() + 3600_000).toISOString();
}

/** As Amazon does; the answer to a HEAD has no body to say why. */
function refuse(answer: ServerResponse, root: string, code: string, isHead = false): void {
  const error = `<Code>${code}</Code><Message>The provided token has expired.</Message>`;
  const body = root === 'Error' ? error : `<Error>${error}</Error>`;
  answer.writeHead(400, { 'content-type': 'application/xml' });
  answer.end(isHead ? undefined : `<${root}>${body}</${root}>`);
}
