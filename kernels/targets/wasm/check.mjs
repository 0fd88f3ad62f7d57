// node check.mjs FOLDER IMAGE DEPTHS: an image, planar float32, through every module of an artifact that this Node can run.
import { readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

process.on("uncaughtException", ({ message }) => {
  console.error(message);
  process.exit(1);
});
const [folder, image, depths] = process.argv.slice(2);
const base = pathToFileURL(`${folder}/`);
const { Engine, MODULES, runs } = await import(new URL("engine.mjs", base).href);
const bytes = await readFile(image);
const pixels = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
const here = Object.keys(MODULES).filter(runs);
const made = [];
for (const name of here) {
  const engine = await Engine.open(base.href, { module: name });
  made.push(Buffer.from(engine.run(pixels).slice().buffer));
}
await writeFile(depths, Buffer.concat(made));
console.log(`Node ${process.versions.node}, ${here.join(" and ")}`);
