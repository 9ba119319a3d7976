/** Small files beside each image's key, for catalogues that look for them there. */
export const sidecarKinds = ['txt', 'json', 'xmp'] as const;

export type SidecarKind = (typeof sidecarKinds)[number];
