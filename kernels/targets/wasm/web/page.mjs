/* The page: a picture or the camera in, depth in colour, metres where one points. */
import { FastDepth } from "./fastdepth.mjs";
import { npy, png } from "./save.mjs";
import { GRADIENT, distance, limits, paint, ticks } from "./show.mjs";

const LONGEST = 1600; // pixels of a canvas's longer side
const FOLLOW = 0.15; // of the way that the legend's range moves towards a camera's next frame
const at = (id) => document.getElementById(id);
const views = [...document.querySelectorAll(".view")];

let net; // the promise of a network
let made; // the last depth
let range; // metres of the legend
let cross = null; // { x, y }, pixels of the depth
let marks = []; // up to two of them
let stream = null; // the camera's, while it is on
let facing = "environment";

const metres = (value) => (value < 10 ? `${value.toFixed(2)} m` : `${value.toFixed(1)} m`);
const complain = (error) => (at("problem").textContent = error ? error.message : "");

/* One picture: what is drawable, and what the network is given of it. */
async function look(picture, { follow = false } = {}) {
  const began = performance.now();
  made = await (await net).predict(picture);
  const span = limits(made.depth);
  range = follow && range ? range.map((end, i) => end + FOLLOW * (span[i] - end)) : span;
  const scale = Math.min(1, LONGEST / Math.max(made.width, made.height));
  for (const id of ["photo", "depth"]) {
    at(id).width = Math.max(1, Math.round(made.width * scale));
    at(id).height = Math.max(1, Math.round(made.height * scale));
  }
  at("photo").getContext("2d").drawImage(picture, 0, 0, at("photo").width, at("photo").height);
  paint(at("depth"), made, range);
  legend();
  at("drop").hidden = true;
  for (const id of ["stage", "read", "png", "npy"]) at(id).hidden = false;
  if (!follow) [cross, marks] = [null, []];
  tell();
  return performance.now() - began;
}

function legend() {
  at("bar").style.background = GRADIENT;
  const [near, far] = range;
  at("ticks").replaceChildren(
    ...ticks(range.map((end) => Math.round(end * 100) / 100)).map((value) => {
      const mark = document.createElement("span");
      mark.textContent = `${value} m`;
      mark.style.left = `${((value - near) / (far - near)) * 100}%`;
      return mark;
    }),
  );
}

/* Everything that is read off the depth, in words and as marks on both pictures. */
function tell() {
  const degrees = +at("lens").value;
  at("degrees").textContent = `${degrees.toFixed(1)}°`;
  const depthAt = ({ x, y }) => made.depth[y * made.width + x];
  at("metres").textContent = cross ? metres(depthAt(cross)) : "–";
  at("where").textContent = cross
    ? `along the camera's axis, at column ${cross.x}, row ${cross.y}`
    : `Point at either picture. It reaches from ${metres(made.near)} to ${metres(made.far)}.`;
  at("distance").textContent = marks.length === 2 ? metres(distance(made, ...marks, degrees)) : "–";
  at("between").textContent =
    marks.length === 2 ? `in space, between ${marks.map((mark) => metres(depthAt(mark))).join(" and ")} away`
    : marks.length ? "Click a second point."
    : "Click two points to measure between them.";
  for (const view of views) draw(view.querySelector("svg"));
}

function draw(svg) {
  const { width, height } = made, radius = Math.max(width, height) / 120;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const shapes = marks.map(({ x, y }) => ["circle", { cx: x + 0.5, cy: y + 0.5, r: radius }]);
  const line = (a, b) => ["line", { x1: a[0] + 0.5, y1: a[1] + 0.5, x2: b[0] + 0.5, y2: b[1] + 0.5 }];
  if (marks.length === 2) shapes.push(line(...marks.map(({ x, y }) => [x, y])));
  if (cross) {
    const { x, y } = cross;
    shapes.push(line([x - 2 * radius, y], [x + 2 * radius, y]), line([x, y - 2 * radius], [x, y + 2 * radius]));
  }
  svg.replaceChildren(
    ...shapes.map(([name, attributes]) => {
      const shape = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
      return shape;
    }),
  );
}

function mark(pixel) {
  marks = marks.length === 2 ? [pixel] : [...marks, pixel];
  tell();
  say();
}

/* For who hears the page: only what was asked for, not every move of a pointer. */
function say() {
  const words = cross ? [at("metres").textContent] : [];
  if (marks.length === 1) words.push("first point");
  if (marks.length === 2) words.push(`${at("distance").textContent} between the points`);
  at("said").textContent = words.join(", ");
}

const clamp = (value, side) => Math.min(Math.max(value, 0), side - 1);

function pixelOf(event, view) {
  const box = view.getBoundingClientRect();
  return {
    x: clamp(Math.floor(((event.clientX - box.left) / box.width) * made.width), made.width),
    y: clamp(Math.floor(((event.clientY - box.top) / box.height) * made.height), made.height),
  };
}

for (const view of views) {
  view.addEventListener("pointermove", (event) => {
    cross = pixelOf(event, view);
    tell();
  });
  view.addEventListener("click", (event) => {
    cross = pixelOf(event, view);
    mark(cross);
  });
}

at("depth-view").addEventListener("keydown", (event) => {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const from = cross ?? { x: made.width >> 1, y: made.height >> 1 };
  if (moves[event.key]) {
    const [dx, dy] = moves[event.key].map((step) => step * (event.shiftKey ? 10 : 1));
    cross = { x: clamp(from.x + dx, made.width), y: clamp(from.y + dy, made.height) };
    tell();
    say();
  } else if (event.key === "Enter" || event.key === " ") {
    cross = from;
    mark(cross);
  } else if (event.key === "Escape") {
    [cross, marks] = [null, []];
    tell();
  } else return;
  event.preventDefault();
});

at("lens").addEventListener("input", () => made && tell());

/* Pictures from files. */
async function open(file) {
  stop();
  complain(null);
  try {
    const picture = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => {
      throw new Error(`${file.name}: not a picture that this browser can read`);
    });
    const whole = await look(picture);
    picture.close();
    speed(whole);
  } catch (error) {
    complain(error);
  }
}

at("file").addEventListener("change", ({ target }) => {
  if (target.files[0]) open(target.files[0]);
  target.value = "";
});
const pictureIn = (given) => [...(given?.files ?? [])].find((file) => file.type.startsWith("image/"));
addEventListener("paste", ({ clipboardData }) => pictureIn(clipboardData) && open(pictureIn(clipboardData)));
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const file = pictureIn(event.dataTransfer);
  if (file) open(file);
  else complain(new Error("That was no picture."));
});

/* The camera, frame by frame, as fast as they are served. */
async function start() {
  complain(null);
  const video = document.createElement("video");
  video.muted = video.playsInline = true;
  try {
    if (!navigator.mediaDevices) throw new Error("The camera needs https, or this machine's own address (localhost).");
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing, width: { ideal: 640 }, height: { ideal: 480 } } });
    const mine = stream;
    video.srcObject = mine;
    await video.play();
    at("camera").setAttribute("aria-pressed", "true");
    const devices = await navigator.mediaDevices.enumerateDevices();
    at("turn").hidden = devices.filter(({ kind }) => kind === "videoinput").length < 2;
    [cross, marks, range] = [null, [], null];
    for (let before = null; stream === mine; ) {
      const frame = await createImageBitmap(video);
      if (stream !== mine) break;
      const whole = await look(frame, { follow: true });
      frame.close();
      const now = performance.now();
      if (before) speed(whole, 1000 / (now - before));
      before = now;
      await new Promise(requestAnimationFrame);
    }
  } catch (error) {
    stop();
    complain(error.name === "NotAllowedError" ? new Error("The browser was not allowed to use the camera.") : error);
  }
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  at("camera").setAttribute("aria-pressed", "false");
  at("turn").hidden = true;
}

at("camera").addEventListener("click", () => (stream ? stop() : start()));
at("turn").addEventListener("click", () => {
  facing = facing === "user" ? "environment" : "user";
  stop();
  start();
});

async function speed(whole, rate) {
  const { dtype, module } = await net;
  const kind = `${dtype === "f32" ? "float32" : dtype}, one thread${module.includes("relaxed") ? ", relaxed SIMD" : ""}`;
  at("speed").textContent = `${made.milliseconds.network.toFixed(0)} ms`;
  at("speed-of").textContent =
    `for the network (${kind}); ${whole.toFixed(0)} ms from picture to screen` + (rate ? `, ${rate.toFixed(1)} frames/s` : "");
}

/* Downloads. */
for (const [id, content] of Object.entries({ png, npy }))
  at(id).addEventListener("click", async () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await content(made));
    link.download = `depth.${id}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });

net = FastDepth.open(undefined, { onProgress: ({ loaded, total }) => (at("progress").value = loaded / total) });
net.then((opened) => {
  at("loading").hidden = true;
  opened.run(new Float32Array(3 * opened.height * opened.width)); // a browser's compiler takes its time with the first
}, complain);

if (navigator.serviceWorker) {
  navigator.serviceWorker.register("./service-worker.js").catch(() => {}); // without one the page works, but not offline
  navigator.serviceWorker.ready.then(() => (at("offline").textContent = "It also works without a network now."));
}
