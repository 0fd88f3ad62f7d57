// node web_recipes.mjs RECIPES.mjs FOLDER: every case of cases.json through the artifact's recipes, each result a file.
import { readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [module, folder] = process.argv.slice(2);
const recipes = await import(pathToFileURL(module).href);
const read = async (name) => {
  const bytes = await readFile(`${folder}/${name}`);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
};
const cases = JSON.parse(await readFile(`${folder}/cases.json`, "utf8"));
for (const [i, { recipe, width, height, toWidth, toHeight }] of cases.entries()) {
  const given = await read(`${i}.in`);
  const picture = { data: new Uint8Array(given), width, height };
  let made;
  if (recipe === "resize") made = recipes.resizeDepth(new Float32Array(given), width, height, toWidth, toHeight);
  else if (recipe === "windows") made = Float32Array.from(recipes.windows(width, height).flatMap(Object.values));
  else if (recipe === "blend") {
    const windows = recipes.windows(width, height);
    const values = new Float32Array(given);
    let at = 0;
    const parts = windows.map((window) => ({ window, depth: values.slice(at, (at += window.width * window.height)) }));
    made = recipes.blend(parts, width, height);
  } else made = recipes[recipe](picture, toHeight, toWidth);
  await writeFile(`${folder}/${i}.out`, new Uint8Array(made.buffer));
}
