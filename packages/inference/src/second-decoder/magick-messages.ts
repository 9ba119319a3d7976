/** What the main thread and the second decoder's thread say to each other: one request at a time. */

export interface MagickSetup {
  wasmFile: string;
  /** The bytes of an ICC profile. */
  srgbProfile: Uint8Array;
}

export interface MagickRequest {
  bytes: Uint8Array<ArrayBuffer>;
  /** Width times height of the source. */
  pixelsMax: number;
  /** What is larger is made smaller, to so many pixels on its longer side. */
  sideMax: number;
  /** Whether 0 is white, which ImageMagick does not look at in the kinds that come here. */
  isNegative: boolean;
}

export type MagickReply =
  | {
      state: 'decoded';
      /** [decodedHeight, decodedWidth, 3], sRGB. */
      pixels: Uint8Array<ArrayBuffer>;
      decodedWidth: number;
      decodedHeight: number;
      /** Of the source as seen upright, in pixels. */
      width: number;
      height: number;
    }
  | { state: 'too-large'; width: number; height: number }
  | { state: 'failed'; message: string };
