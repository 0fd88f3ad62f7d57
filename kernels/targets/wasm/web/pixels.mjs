/* A Blob, an ImageBitmap or what looks like an ImageData -> { data, width, height } with RGBA bytes. */

const MOST = 100_000_000; // pixels

export async function pixelsOf(picture) {
  if (picture?.data) return picture;
  const isBlob = picture instanceof Blob;
  if (!isBlob && !(typeof ImageBitmap === "function" && picture instanceof ImageBitmap))
    throw new Error("not a picture: give an ImageBitmap, ImageData, Blob, image or video");
  if (typeof createImageBitmap !== "function") throw new Error("nothing here reads picture files: give { data, width, height } with RGBA bytes");
  const bitmap = isBlob ? await decode(picture) : picture;
  try {
    const { width, height } = bitmap;
    if (width * height > MOST) throw new Error(`${width}x${height} pixels; the limit is ${MOST / 1e6} million`);
    const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = "white"; // what is transparent lies on white
    canvas.fillRect(0, 0, width, height);
    canvas.drawImage(bitmap, 0, 0);
    return canvas.getImageData(0, 0, width, height);
  } finally {
    if (isBlob) bitmap.close(); // any other is its owner's
  }
}

/* Upright, its colours as the file has them. */
async function decode(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error(`${file.name ?? "the file"}: not a picture that this browser can read`);
  }
}
