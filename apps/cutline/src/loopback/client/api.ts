/**
 * Requests to the server of a page, with the token that its address ends in. The token stays
 * in this tab: it is taken out of the address, so that no history has it, and kept for reloads.
 */

export class ApiError extends Error {
  /** 0 where no answer came. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const storageKey = `cutline ${location.host}`;

function takeToken(): string {
  const fromAddress = location.hash.slice(1);
  if (fromAddress !== '') {
    sessionStorage.setItem(storageKey, fromAddress);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem(storageKey) ?? '';
}

const token = takeToken();

/** @throws ApiError */
export async function post<T>(path: string, body: object = {}): Promise<T> {
  const response = await request(path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as T;
}

/** @throws ApiError 404 where there is no picture to show */
export async function getPicture(n: number, side: number): Promise<Blob> {
  const headers = { authorization: `Bearer ${token}` };
  return (await request(`/api/image/${n}?side=${side}`, { headers })).blob();
}

async function request(path: string, options: RequestInit): Promise<Response> {
  const response = await fetch(path, options).catch(() => {
    throw new ApiError(0, 'The server does not answer: does its command still run?');
  });
  if (response.ok) return response;
  const reply = (await response.json().catch(() => ({}))) as { error?: unknown };
  throw new ApiError(response.status, String(reply.error ?? response.statusText));
}
