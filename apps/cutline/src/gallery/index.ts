export type { AttentionGrid } from './attention.ts';
export type { Gallery, GalleryRun, GalleryTotals } from './gallery.ts';
export { Html, html } from './html.ts';
export { icon } from './icon.ts';
export { requireGalleryFile } from './page-files.ts';
export { themeStyle } from './theme-style.ts';
export { makeThumbnail, type Thumbnail } from './thumbnail.ts';
export { type GalleryLimits, type GallerySummary, writeGallery } from './write-gallery.ts';
