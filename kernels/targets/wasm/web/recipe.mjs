/* A picture as the network's input, and its depth back at the picture's size, as Pillow and zoo/image.py compute them, bit for
 * bit. Pictures are { data, width, height } with RGBA bytes, as ImageData is. Scaling is separable and exact: a canvas
 * would scale faster, but as each browser likes, and the network's metres would change with it. */

const COVER = [333, 250]; // width and height of the published recipe's scaled frame
const CROP = [304, 228];
const NARROWEST = 2; // pictures longer than this ratio are seen in overlapping windows
const BITS = 22; // of a weight's fraction where bytes are scaled

/** The whole picture, squeezed bilinearly into planar RGB in [0, 1] of height x width. Fills and returns `into`. */
export function whole(picture, height, width, into = new Float32Array(3 * height * width), window = entire(picture)) {
  const rgb = scaleBytes(opaque(picture, window), window.width, window.height, width, height);
  return planar(rgb, height * width, into);
}

/** The published recipe: nearest neighbour to cover 333x250, centre crop 304x228, nearest neighbour to height x width. */
export function published(picture, height, width, into = new Float32Array(3 * height * width)) {
  const scale = Math.max(COVER[0] / picture.width, COVER[1] / picture.height);
  const covered = [picture.width, picture.height].map((side, i) => Math.max(COVER[i], Math.trunc(side * scale)));
  const [xs, ys] = [0, 1].map((i) => {
    const first = nearest(i ? picture.height : picture.width, covered[i]);
    const skipped = Math.floor((covered[i] - CROP[i]) / 2);
    return nearest(CROP[i], i ? height : width).map((at) => first[at + skipped]);
  });
  const rgb = opaque(picture, entire(picture));
  const made = new Uint8Array(3 * height * width);
  let at = 0;
  for (const y of ys)
    for (const x of xs) for (let c = 0; c < 3; c++) made[at++] = rgb[3 * (y * picture.width + x) + c];
  return planar(made, height * width, into);
}

/** Bilinear to another size; metres stay metres. */
export function resizeDepth(depth, width, height, toWidth, toHeight) {
  let made = depth;
  if (toWidth !== width) made = across(made, width, height, toWidth, new Float32Array(toWidth * height));
  if (toHeight !== height) made = down(made, toWidth, height, toHeight, new Float32Array(toWidth * toHeight));
  return made === depth ? depth.slice() : made;
}

/** One window for ordinary pictures; for panoramas, windows of ratio 4:3 that overlap by half or more. */
export function windows(width, height) {
  const long = Math.max(width, height), short = Math.min(width, height);
  if (long <= NARROWEST * short) return [{ left: 0, top: 0, width, height }];
  const side = Math.max(1, Math.floor((short * 4) / 3));
  const steps = Math.ceil((2 * (long - side)) / side);
  return Array.from({ length: steps + 1 }, (_, i) => {
    const start = halfToEven((i * (long - side)) / steps);
    return width > height ? { left: start, top: 0, width: side, height } : { left: 0, top: start, width, height: side };
  });
}

/** Depths of overlapping windows as one; weights fall linearly towards a window's ends. */
export function blend(parts, width, height) {
  if (parts.length === 1) return parts[0].depth;
  const total = new Float64Array(width * height), weights = new Float64Array(width * height);
  for (const { window, depth } of parts) {
    const along = window.height === height ? window.width : window.height;
    for (let y = 0, i = 0; y < window.height; y++)
      for (let x = 0; x < window.width; x++, i++) {
        const place = window.height === height ? x : y;
        const weight = Math.min(place + 1, along - place);
        const at = (window.top + y) * width + window.left + x;
        total[at] += depth[i] * weight;
        weights[at] += weight;
      }
  }
  return Float32Array.from(total, (value, i) => value / weights[i]);
}

export const entire = ({ width, height }) => ({ left: 0, top: 0, width, height });

function halfToEven(value) {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}

/* The bytes of a window as RGB; what is transparent lies on white. */
function opaque({ data, width }, window) {
  const rgb = new Uint8Array(3 * window.width * window.height);
  for (let y = 0, to = 0; y < window.height; y++) {
    let from = 4 * ((window.top + y) * width + window.left);
    for (let x = 0; x < window.width; x++, from += 4)
      for (let c = 0, alpha = data[from + 3]; c < 3; c++) rgb[to++] = alpha === 255 ? data[from + c] : onWhite(data[from + c], alpha);
  }
  return rgb;
}

/* Alpha compositing in whole numbers, with 7 bits of fraction in the weight. */
function onWhite(value, alpha) {
  const weight = Math.floor((alpha * 255 * (255 << 7)) / (255 * 255));
  const sum = (value * weight + 255 * ((255 << 7) - weight) + (0x80 << 7)) >>> 0;
  return ((sum >> 8) + sum) >> 8 >> 7;
}

/* Every value of a byte as a float32. */
const UNIT = Float32Array.from({ length: 256 }, (_, value) => value / 255);

function planar(rgb, pixels, into) {
  for (let i = 0; i < pixels; i++) for (let c = 0; c < 3; c++) into[c * pixels + i] = UNIT[rgb[3 * i + c]];
  return into;
}

/* Which of `from` pixels each of `to` shows, by steps that add up their rounding. */
function nearest(from, to) {
  const step = from / to, found = new Int32Array(to);
  for (let i = 0, at = step * 0.5; i < to; i++, at += step) found[i] = Math.min(Math.trunc(at), from - 1);
  return found;
}

/* For each of `to` places, the first of `from` that it sees, and the weights of those from there on: a triangle as wide as
 * two places, so that nothing is skipped where a picture gets smaller. */
function triangle(from, to) {
  const scale = from / to, radius = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - radius + 0.5), 0);
    const count = Math.min(Math.trunc(centre + radius + 0.5), from) - first;
    const inverse = 1 / radius;
    const weights = Float64Array.from({ length: count }, (_, x) => Math.max(1 - Math.abs((x + first - centre + 0.5) * inverse), 0));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: sum ? weights.map((weight) => weight / sum) : weights };
  });
}

/* Bytes, three to a pixel: rows first, rounded to bytes, then columns. Weights are whole numbers, so sums are exact. */
function scaleBytes(rgb, width, height, toWidth, toHeight) {
  if (toWidth !== width) rgb = bytesAlong(rgb, height, 3 * width, 3, toWidth, triangle(width, toWidth), 3 * toWidth, 3);
  if (toHeight !== height) rgb = bytesAlong(rgb, toWidth, 3, 3 * toWidth, toHeight, triangle(height, toHeight), 3, 3 * toWidth);
  return rgb;
}

/* `lines` of pixels that lie `step` apart, one line `next` after the other; the same of the result with a line of `count`. */
function bytesAlong(bytes, lines, next, step, count, places, toNext, toStep) {
  const made = new Uint8Array(3 * lines * count);
  for (let i = 0; i < count; i++) {
    const { first, weights } = places[i];
    const whole = Int32Array.from(weights, (weight) => Math.trunc(0.5 + weight * (1 << BITS)));
    for (let line = 0; line < lines; line++)
      for (let c = 0; c < 3; c++) {
        let sum = 1 << (BITS - 1);
        for (let k = 0, from = line * next + first * step + c; k < whole.length; k++, from += step) sum += bytes[from] * whole[k];
        made[line * toNext + i * toStep + c] = Math.min(Math.max(sum >> BITS, 0), 255);
      }
  }
  return made;
}

function across(values, width, height, toWidth, made) {
  const places = triangle(width, toWidth);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < toWidth; x++) {
      const { first, weights } = places[x];
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += values[y * width + first + k] * weights[k];
      made[y * toWidth + x] = sum;
    }
  return made;
}

function down(values, width, height, toHeight, made) {
  const places = triangle(height, toHeight);
  for (let y = 0; y < toHeight; y++) {
    const { first, weights } = places[y];
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += values[(first + k) * width + x] * weights[k];
      made[y * width + x] = sum;
    }
  }
  return made;
}
