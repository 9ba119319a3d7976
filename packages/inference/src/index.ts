export * from './decode-image.ts';
