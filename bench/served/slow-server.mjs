// @ts-check

/**
 * A server that speaks OpenAI's protocol and takes a while, as one with a GPU does that batches what
 * it is asked: `slots` questions at a time, each for `latencyMs`; the others wait in line.
 *
 *     node slow-server.mjs <slots> <latency in ms>
 *
 * Prints the port that it listens on.
 */
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';

const [slots, latencyMs] = process.argv.slice(2).map(Number);
const turn = pLimit(slots ?? 1);
const answer = JSON.stringify({
  choices: [{ finish_reason: 'stop', message: { content: 'A boat on a lake.' } }],
  usage: { prompt_tokens: 800, completion_tokens: 6 },
});

const server = createServer(async (request, response) => {
  for await (const _ of request);
  await turn(() => sleep(latencyMs));
  response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.stdout.write(`${address.port}\n`);
});
