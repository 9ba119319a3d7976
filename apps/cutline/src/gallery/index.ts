export { Html, html } from '../page/html.ts';
export { icon } from '../page/icon.ts';
export { themeStyle } from '../page/theme-style.ts';
export type { AttentionGrid } from './attention.ts';
export type { Gallery, GalleryRun, GalleryTotals } from './gallery.ts';
export { requireGalleryFile } from './page-files.ts';
export { makeThumbnail, type Thumbnail } from './thumbnail.ts';
export { type GalleryLimits, type GallerySummary, writeGallery } from './write-gallery.ts';
