/* Metric depth from one picture: FastDepth, compiled to WebAssembly. No dependencies; browsers, Node, Deno.
 *
 *   import { FastDepth } from "./fastdepth.mjs";
 *   const net = await FastDepth.open();                             // the folder of this file, or a URL
 *   const { depth, width, height } = await net.predict(photo);      // metres, at the picture's own size */
import { Engine } from "./engine.mjs";

export { published, whole } from "./recipe.mjs";

export class FastDepth {
  /** Open the network in a folder: in a worker where there are any, so that a page stays responsive. */
  static async open(url = new URL(".", import.meta.url), { signal, onProgress, worker = typeof Worker === "function" } = {}) {
    signal?.throwIfAborted();
    const folder = new URL(`${url}`.replace(/\/?$/, "/"), globalThis.document?.baseURI ?? (await workingFolder())).href;
    const net = new FastDepth(worker ? new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" }) : null);
    const abort = () => net.close(signal.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      if (worker) Object.assign(net, await net.#ask("open", [folder], [], onProgress));
      else {
        net.#engine = await Engine.open(folder, { signal, onProgress });
        Object.assign(net, facts(net.#engine));
      }
    } catch (error) {
      net.close();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    return net;
  }

  #engine = null;
  #worker;
  #waiting = new Map();
  #last = 0;
  #closed = null;

  constructor(worker) {
    this.#worker = worker;
    if (!worker) return;
    worker.onmessage = ({ data: { id, progress, result, error } }) => {
      const call = this.#waiting.get(id);
      if (progress) return call?.onProgress?.(progress);
      this.#waiting.delete(id);
      if (error !== undefined) call?.reject(new Error(error));
      else call?.resolve(result);
    };
    worker.onerror = (event) => this.close(new Error(event.message || "worker.mjs could not be loaded"));
  }

  /** A picture -> { depth, width, height, near, far, milliseconds }: metres, row by row, at the picture's own size. */
  async predict(picture) {
    if (typeof HTMLVideoElement === "function" && picture instanceof HTMLVideoElement && picture.readyState < 2)
      throw new Error("the video has no frame yet");
    if (isElement(picture)) {
      const bitmap = await createImageBitmap(picture, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
      try {
        return await this.#predict(bitmap, [bitmap]);
      } finally {
        bitmap.close();
      }
    }
    return this.#predict(plain(picture), []);
  }

  async #predict(picture, given) {
    if (this.#worker) return this.#ask("predict", [picture], given);
    const { pixelsOf } = await import("./pixels.mjs");
    return this.#opened().predict(await pixelsOf(picture));
  }

  /** The network alone: planar RGB in [0, 1], 3 x height x width -> Float32Array, height x width metres. */
  async run(image) {
    return this.#worker ? this.#ask("run", [image]) : this.#opened().run(image).slice();
  }

  /** Free what it holds; calls that wait are rejected with the reason. */
  close(reason = new Error("the network was closed")) {
    this.#closed ??= reason;
    this.#worker?.terminate();
    this.#engine = null;
    for (const { reject } of this.#waiting.values()) reject(this.#closed);
    this.#waiting.clear();
  }

  #opened() {
    if (!this.#engine) throw this.#closed;
    return this.#engine;
  }

  #ask(what, words, given = [], onProgress = undefined) {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      this.#waiting.set(++this.#last, { resolve, reject, onProgress });
      this.#worker.postMessage({ id: this.#last, what, words }, given);
    });
  }
}

/** What a program may want to know of an opened network. */
export const facts = ({ height, width, model, dtype, steps, module }) => ({ height, width, model, dtype, steps, module });

const isElement = (picture) => typeof Element === "function" && picture instanceof Element;

/* An ImageData or what looks like one, as a message may carry it; an ImageBitmap or a Blob as it is. */
const plain = (picture) =>
  picture?.data ? { data: picture.data, width: picture.width, height: picture.height } : picture;

async function workingFolder() {
  if (globalThis.location) return globalThis.location.href;
  const { pathToFileURL } = await import(/* webpackIgnore: true */ /* @vite-ignore */ "node:url");
  return pathToFileURL(`${globalThis.process.cwd()}/`).href;
}
