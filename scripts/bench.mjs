// @ts-check

/** How fast everything is, on this machine: `npm run bench -- --help`. See bench/main.mjs. */
export { main } from '../bench/main.mjs';
