/* The network in a thread of its own, for FastDepth. */
import { Engine } from "./engine.mjs";
import { facts } from "./fastdepth.mjs";
import { pixelsOf } from "./pixels.mjs";

let engine;

const calls = {
  async open(id, folder) {
    engine = await Engine.open(folder, { onProgress: (progress) => postMessage({ id, progress }) });
    return [facts(engine), []];
  },
  async predict(id, picture) {
    try {
      const made = engine.predict(await pixelsOf(picture));
      return [made, [made.depth.buffer]];
    } finally {
      picture?.close?.(); // the copy of a bitmap that came with the message
    }
  },
  async run(id, image) {
    const depth = engine.run(image).slice();
    return [depth, [depth.buffer]];
  },
};

let turn = Promise.resolve(); // calls are served in the order in which they came

onmessage = ({ data: { id, what, words } }) => {
  turn = turn.then(async () => {
    try {
      const [result, given] = await calls[what](id, ...words);
      postMessage({ id, result }, given);
    } catch (error) {
      postMessage({ id, error: error.message });
    }
  });
};
