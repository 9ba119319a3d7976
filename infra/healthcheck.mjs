/**
 * The image's health check: exit status 0 when this container's program answers /healthz with 200
 * within four seconds, else 1. Slim images have Node but neither curl nor wget.
 */
const port = process.env.CUTLINE_HTTP_PORT ?? '9464';

try {
  const response = await fetch(`http://127.0.0.1:${port}/healthz`, {
    signal: AbortSignal.timeout(4_000),
  });
  if (!response.ok) throw new Error(`${response.status}: ${(await response.text()).trim()}`);
} catch (error) {
  // Docker keeps this line: `docker inspect --format '{{json .State.Health}}' <container>`.
  console.error(error.cause?.message ?? error.message);
  process.exitCode = 1;
}
