/* Depth as a file: .npy, float32 metres; .png, 16-bit millimetres. What zoo predict --raw writes. */

export function npy({ depth, width, height }) {
  const words = `{'descr': '<f4', 'fortran_order': False, 'shape': (${height}, ${width}), }`;
  const size = Math.ceil((10 + words.length + 1) / 64) * 64 - 10;
  const head = new Uint8Array(10 + size);
  head.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]); // "\x93NUMPY", version 1.0
  new DataView(head.buffer).setUint16(8, size, true);
  head.set(new TextEncoder().encode(`${words.padEnd(size - 1)}\n`), 10);
  return new Blob([head, depth], { type: "application/octet-stream" });
}

export async function png({ depth, width, height }) {
  const rows = new DataView(new ArrayBuffer(height * (1 + 2 * width))); // each begins with its filter, 0: none
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++)
      rows.setUint16(y * (1 + 2 * width) + 1 + 2 * x, Math.round(Math.min(Math.max(depth[i] * 1000, 0), 65535)));
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 16); // bits; the rest is 0: grey, the only compression and filters, not interlaced
  const parts = [["IHDR", header.buffer], ["IDAT", await new Response(packed).arrayBuffer()], ["IEND", new ArrayBuffer(0)]];
  const mark = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return new Blob([mark, ...parts.map(([name, content]) => chunk(name, new Uint8Array(content)))], { type: "image/png" });
}

function chunk(name, content) {
  const made = new Uint8Array(12 + content.length), view = new DataView(made.buffer);
  view.setUint32(0, content.length);
  made.set(new TextEncoder().encode(name), 4);
  made.set(content, 8);
  view.setUint32(8 + content.length, crc(made.subarray(4, 8 + content.length)));
  return made;
}

/* The checksum of PNG: a polynomial over bits, the lowest first. */
function crc(bytes) {
  let state = -1;
  for (const byte of bytes) {
    state ^= byte;
    for (let bit = 0; bit < 8; bit++) state = (state >>> 1) ^ (state & 1 ? 0xedb88320 : 0);
  }
  return ~state >>> 0;
}
