/* Depth as something to look at and to measure: colours, legend, points in space. */

/* Near is light and warm, far is dark and cold; lightness falls all the way, so it also reads in grey. */
const STOPS = [[255, 247, 214], [254, 205, 92], [243, 130, 60], [203, 63, 88], [130, 32, 118], [62, 22, 106], [14, 10, 46]];
const SHADES = 1024;
const SEEN = 20000; // depths, at most, that the legend's range is taken from
const STEPS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]; // metres between marks

const TABLE = Uint32Array.from({ length: SHADES }, (_, i) => {
  const place = (i / (SHADES - 1)) * (STOPS.length - 1), low = Math.min(Math.floor(place), STOPS.length - 2);
  const [r, g, b] = STOPS[low].map((value, c) => Math.round(value + (STOPS[low + 1][c] - value) * (place - low)));
  return new Uint32Array(Uint8Array.of(r, g, b, 255).buffer)[0];
});

export const GRADIENT = `linear-gradient(90deg, ${STOPS.map((stop) => `rgb(${stop})`)})`;

/** Paint { depth, width, height } on a canvas of any size, from `near` to `far`. */
export function paint(canvas, { depth, width, height }, [near, far]) {
  const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
  const made = new Uint32Array(image.data.buffer), scale = (SHADES - 1) / Math.max(far - near, 1e-6);
  for (let y = 0, to = 0; y < canvas.height; y++) {
    const row = Math.floor(((y + 0.5) * height) / canvas.height) * width;
    for (let x = 0; x < canvas.width; x++) {
      const metres = depth[row + Math.floor(((x + 0.5) * width) / canvas.width)];
      made[to++] = TABLE[Math.round(Math.min(Math.max((metres - near) * scale, 0), SHADES - 1))];
    }
  }
  context.putImageData(image, 0, 0);
}

/** A range for the legend: the depths without their extreme 2 % at either end, to the next tenth of a metre. */
export function limits(depth) {
  const step = Math.ceil(depth.length / SEEN);
  const some = Float32Array.from({ length: Math.ceil(depth.length / step) }, (_, i) => depth[i * step]).sort();
  const at = (share) => some[Math.round(share * (some.length - 1))];
  const near = Math.floor(at(0.02) * 10) / 10;
  return [near, Math.max(Math.ceil(at(0.98) * 10) / 10, near + 0.1)];
}

/** Metres to mark between `near` and `far`, round numbers and few. */
export function ticks([near, far], most = 8) {
  for (const step of STEPS) {
    const first = Math.ceil(near / step - 1e-6), last = Math.floor(far / step + 1e-6);
    if (last - first < most) return Array.from({ length: last - first + 1 }, (_, i) => +((first + i) * step).toFixed(2));
  }
  return [near, far];
}

/** Pixel (x, y) of { depth, width, height } as a point in metres: x right, y down, z away, seen through a pinhole camera at
 * the picture's middle that sees `degrees` across. */
export function point({ depth, width, height }, { x, y }, degrees) {
  const focal = width / 2 / Math.tan((degrees * Math.PI) / 360), z = depth[y * width + x];
  return [((x + 0.5 - width / 2) / focal) * z, ((y + 0.5 - height / 2) / focal) * z, z];
}

/** Metres between two pixels, through the air. */
export function distance(made, a, b, degrees) {
  const [p, q] = [point(made, a, degrees), point(made, b, degrees)];
  return Math.hypot(...p.map((value, i) => value - q[i]));
}
