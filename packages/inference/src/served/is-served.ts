/** Whether JSON seems to describe a model behind a server; what it needs besides, is seen later. */
export function isServed(json: unknown): boolean {
  return json !== null && typeof json === 'object' && 'kind' in json && json.kind === 'server';
}
