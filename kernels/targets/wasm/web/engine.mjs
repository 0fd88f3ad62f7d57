/* The network in this thread: fetch it, check it, run it. FastDepth in fastdepth.mjs is what most programs want. */
import { blend, resizeDepth, whole, windows } from "./recipe.mjs";

const FORMAT = "fastdepth-artifact/2";
const RETRY = "load it again, or compile it again";

/* The modules, best first, each with the shortest one that a host must know to run it: i8x16.relaxed_swizzle, i8x16.popcnt. */
const HEAD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0];
export const MODULES = {
  "fastdepth-relaxed.wasm": [...HEAD, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11],
  "fastdepth.wasm": [...HEAD, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
};

/** Whether this host can run a module of that name. */
export const runs = (name) => WebAssembly.validate(Uint8Array.from(MODULES[name]));

export class Engine {
  /** Open the network in a folder, an absolute URL. onProgress({ loaded, total }) counts bytes; `module` overrides the choice. */
  static async open(folder, { signal, onProgress = () => {}, module = Object.keys(MODULES).find(runs) } = {}) {
    if (!module) throw new Error("WebAssembly with vectors is missing here: Chrome 91, Firefox 89, Safari 16.4 or Node 18 have it");
    const manifest = readManifest(await bytesOf(folder, "manifest.json", { signal }));
    const names = [module, "parameters.bin"];
    const sizes = names.map((name) => manifest.files[name]?.size);
    if (!sizes.every(Number.isSafeInteger)) throw new Error(`manifest.json: damaged, or not of this artifact; ${RETRY}`);
    const total = sizes[0] + sizes[1];
    let loaded = 0;
    const count = (bytes) => onProgress({ loaded: (loaded += bytes), total });
    const [code, parameters] = await Promise.all(
      names.map((name, i) => bytesOf(folder, name, { signal, size: sizes[i], count })),
    );
    const whole = manifest.store === "f16" ? widened(parameters) : parameters;
    return new Engine(manifest, module, await instantiate(module, code), whole);
  }

  constructor(manifest, module, exports, parameters) {
    const { memory } = exports;
    const said = JSON.parse(text(memory, exports.fastdepth_describe()));
    if (!repeats(manifest, said)) throw new Error(`${module}: not what manifest.json says; ${RETRY}`);
    if (parameters.length !== exports.fastdepth_parameter_bytes())
      throw new Error(`parameters.bin: ${parameters.length} bytes, not ${exports.fastdepth_parameter_bytes()}; ${RETRY}`);
    new Uint8Array(memory.buffer, exports.fastdepth_parameters(), parameters.length).set(parameters);
    if (exports.fastdepth_open()) throw new Error(`parameters.bin: ${text(memory, exports.fastdepth_error())}; ${RETRY}`);
    [this.height, this.width] = said.output;
    this.model = said.model;
    this.dtype = said.dtype;
    this.steps = said.steps;
    this.module = module;
    const pixels = this.height * this.width;
    this.exports = exports;
    this.image = new Float32Array(memory.buffer, exports.fastdepth_image(), 3 * pixels); // the memory never grows
    this.depth = new Float32Array(memory.buffer, exports.fastdepth_depth(), pixels);
  }

  /** Planar RGB in [0, 1], 3 x height x width -> height x width metres, a view that the next run overwrites. */
  run(image = this.image) {
    if (image !== this.image) {
      if (image.length !== this.image.length) throw new Error(`${image.length} values, not 3x${this.height}x${this.width}`);
      this.image.set(image);
    }
    if (this.exports.fastdepth_run()) throw new Error(text(this.exports.memory, this.exports.fastdepth_error()));
    return this.depth;
  }

  /** A picture, { data, width, height } with RGBA bytes -> metres at its own size, the nearest, the farthest, milliseconds. */
  predict(picture) {
    const { width, height } = picture;
    if (!(width > 0 && height > 0 && picture.data?.length === 4 * width * height)) throw new Error("not a picture with RGBA bytes");
    const began = performance.now();
    let network = 0;
    const parts = windows(width, height).map((window) => {
      whole(picture, this.height, this.width, this.image, window);
      const start = performance.now();
      this.run();
      network += performance.now() - start;
      return { window, depth: resizeDepth(this.depth, this.width, this.height, window.width, window.height) };
    });
    const depth = blend(parts, width, height);
    let near = Infinity, far = -Infinity;
    for (const metres of depth) {
      if (metres < near) near = metres;
      if (metres > far) far = metres;
    }
    return { depth, width, height, near, far, milliseconds: { network, whole: performance.now() - began } };
  }
}

function readManifest(bytes) {
  let manifest;
  try {
    manifest = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Error(`manifest.json: not JSON; is this a folder that zoo compile made?`);
  }
  if (manifest?.format !== FORMAT || manifest.kind !== "wasm" || typeof manifest.files !== "object")
    throw new Error(`manifest.json: not of a browser's artifact in the format ${FORMAT}; ${RETRY}`);
  return manifest;
}

async function instantiate(name, code) {
  try {
    return (await WebAssembly.instantiate(code)).instance.exports;
  } catch (error) {
    if (error instanceof RangeError) throw new Error(`${name}: its memory could not be had (${error.message})`);
    throw new Error(`${name}: ${error.message}; ${RETRY}`);
  }
}

/* Bytes of float16 -> bytes of float32, exactly; none of them infinite. */
function widened(bytes) {
  const values = Float32Array.from({ length: 1 << 16 }, (_, bits) => {
    const exponent = (bits >> 10) & 31, fraction = (bits & 1023) / 1024;
    return (bits >> 15 ? -1 : 1) * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
  });
  const halves = new Uint16Array(new Uint8Array(bytes).buffer, 0, bytes.length >> 1);
  return new Uint8Array(Float32Array.from(halves, (half) => values[half]).buffer);
}

/* A file of the folder, whole. */
async function bytesOf(folder, name, { signal, size, count = () => {} }) {
  const url = new URL(name, folder);
  if (url.protocol === "file:") {
    const { readFile } = await import(/* webpackIgnore: true */ /* @vite-ignore */ "node:fs/promises");
    const content = await readFile(url, { signal });
    count(content.length);
    return content;
  }
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  const chunks = [];
  let length = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
    count(value.length);
  }
  if (size !== undefined && length !== size) throw new Error(`${name}: ${length} bytes, manifest.json says ${size}; ${RETRY}`);
  const content = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    content.set(chunk, at);
    at += chunk.length;
  }
  return content;
}

/* Whether a manifest says what a module says of itself; it may say more. */
function repeats(said, fact) {
  if (fact === null || typeof fact !== "object") return said === fact;
  if (typeof said !== "object" || said === null || Array.isArray(fact) !== Array.isArray(said)) return false;
  if (Array.isArray(fact) && fact.length !== said.length) return false;
  return Object.keys(fact).every((key) => repeats(said[key], fact[key]));
}

function text(memory, at) {
  const bytes = new Uint8Array(memory.buffer, at);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}
