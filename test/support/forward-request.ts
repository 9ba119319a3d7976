import {
  type Agent,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream/promises';

/**
 * Sends a request on as it is to another server, body and all, and gives that server's answer, whose
 * body is still to come. Where whoever asked hangs up, so does this.
 */
export async function forwardRequest(
  incoming: IncomingMessage,
  answer: ServerResponse,
  { target, agent }: { target: string; agent: Agent },
): Promise<IncomingMessage> {
  const { hostname, port } = new URL(target);
  const { method, url: path, headers } = incoming;
  const outgoing = httpRequest({ agent, hostname, port, method, path, headers });
  answer.once('close', () => outgoing.destroy());
  const upstream = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
  });
  const [response] = await Promise.all([upstream, pipeline(incoming, outgoing)]);
  return response;
}
