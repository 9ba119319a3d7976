/**
 * Places of a prompt, in braces: `{key}` is the image's key; any other name is a column of the list
 * of keys (`--keys-from`). Braces around anything but a name are text.
 */

const place = /\{([A-Za-z][\w-]*)\}/g;

/** Names of the places besides `key`, each once. */
export function columnsOf(prompt: string): string[] {
  const names = [...prompt.matchAll(place)].map(([, name]) => name as string);
  return [...new Set(names)].filter((name) => name !== 'key');
}

/** @returns the prompt of an image, and the columns that it has nothing in; those stay empty. */
export function fillPrompt(
  prompt: string,
  { key, columns = {} }: { key: string; columns?: Readonly<Record<string, string>> | undefined },
): { text: string; missing: string[] } {
  const missing = new Set<string>();
  const text = prompt.replaceAll(place, (_, name: string) => {
    const value = name === 'key' ? key : Object.hasOwn(columns, name) ? columns[name] : undefined;
    if (value === undefined || value === '') missing.add(name);
    return value ?? '';
  });
  return { text, missing: [...missing] };
}
