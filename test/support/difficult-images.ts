import { readFile } from 'node:fs/promises';
import zlib from 'node:zlib';
import sharp from 'sharp';
import { photographs } from '../../scripts/photographs.mjs';

/**
 * What archives hold besides photographs, and photographs in forms that are easily got wrong. All
 * that shows something shows the same boats at Nagasaki, so that its captions can be compared.
 */

/**
 * The photograph as people see it, upright. Whole blocks of 8 pixels at the best quality: turned
 * and compressed again, it is the same but for rounding.
 */
export async function boats(): Promise<Buffer> {
  const { path = '' } = photographs().find(({ name }) => name === 'nagasaki-boats') ?? {};
  return sharp(await readFile(path))
    .resize(320, 160)
    .jpeg(best)
    .toBuffer();
}

/** By file name; every one of them can exist in a folder. */
export async function difficultImages(): Promise<Map<string, Buffer>> {
  const photo = await boats();
  const image = (bytes = photo) => sharp(bytes);
  const lying = await image().rotate(-90).jpeg(best).toBuffer();
  const other = await image().negate().toBuffer();
  return new Map(
    Object.entries({
      'upright.jpg': photo,
      // A camera that was held sideways: it stores what its sensor saw, and how to turn it.
      'lying.jpg': lying,
      'rotated.jpg': await image(lying).withMetadata({ orientation: 6 }).jpeg(best).toBuffer(),

      'empty.jpg': Buffer.alloc(0),
      'truncated.jpg': photo.subarray(0, photo.length / 2),
      'text.jpg': Buffer.from('Dear archivist, the photographs are in the other box.\n'),
      'drawing.svg': Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      letter: Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n', 'latin1'),
      'bomb.png': pngOfZeros(20_000, 20_000),
      'notes.txt': Buffer.from('not an image, and its name says so'),

      'pixel.png': await sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } })
        .png()
        .toBuffer(),
      'animated.gif': await sharp([photo, other], { join: { animated: true } })
        .gif()
        .toBuffer(),
      'cmyk.jpg': await image().toColourspace('cmyk').jpeg(best).toBuffer(),
      'grey16.tif': await image()
        .toColourspace('grey16')
        .tiff({ compression: 'deflate' })
        .toBuffer(),

      'with space.jpg': photo,
      'a+b.jpg': photo,
      '100%.jpg': photo,
      '%2F%00.jpg': photo,
      'q?x=1#f&amp;.jpg': photo,
      'ünï 日本語 ⛵.jpg': photo,
      'decomposed-u\u0308.jpg': photo,
    }),
  );
}

const best = { quality: 100, chromaSubsampling: '4:4:4' } as const;

/** A PNG of one bit a pixel: 50 KB that decode to 400 million pixels. */
function pngOfZeros(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1; // bit depth, and then 0: grey, deflate, adaptive filters, not interlaced
  const rowBytes = 1 + Math.ceil(width / 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    pngChunk('IDAT', zlib.deflateSync(Buffer.alloc(rowBytes * height), { level: 1 })),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(zlib.crc32(body));
  return Buffer.concat([length, body, checksum]);
}
