/** Of all packages: the command line, metrics and requests to stores tell of it. */
export const version = '0.1.0';
