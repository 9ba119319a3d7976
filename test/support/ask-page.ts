import { expect } from 'vitest';

/**
 * Asks the server of a page of ours, as the page's scripts do.
 * @param address that the command printed, with the token in it
 */
export async function askPage(
  address: string,
  path: string,
  body: object = {},
  // biome-ignore lint/suspicious/noExplicitAny: a test knows what it looks at
): Promise<any> {
  const { origin, hash } = new URL(address);
  const response = await fetch(new URL(path, origin), {
    method: 'POST',
    headers: { authorization: `Bearer ${hash.slice(1)}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return response.json();
}
