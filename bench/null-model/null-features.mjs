// @ts-check

/** [1, 50] float16: 100 bytes an image. */
export const nullFeatures = { locations: 1, channels: 50 };
