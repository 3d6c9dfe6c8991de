// What the page does with the network of network.js.
"use strict";

const SIDE = 32, SHOWN = 32;
const byId = id => document.getElementById(id);
let network, flipped = [], chosen = null, clean = null;

function pixelsOf(canvas) {
  const rgba = canvas.getContext("2d").getImageData(0, 0, SIDE, SIDE).data;
  return Uint8Array.from({length: SIDE * SIDE * 3}, (_, n) => rgba[4 * Math.trunc(n / 3) + n % 3]);
}

function canvasOf(source, width, height) {
  const canvas = document.createElement("canvas"), side = Math.min(width, height);
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  return canvas;
}

function knownPicture() {
  return Uint8Array.from({length: SIDE * SIDE * 3}, (_, n) => {
    const c = n % 3, x = Math.trunc(n / 3) % SIDE, y = Math.trunc(n / 3 / SIDE);
    return (59 * x + 71 * y + 10 * x * y + 101 * c) % 256;
  });
}

function element(kind, attributes = {}) {
  return Object.assign(document.createElement(kind), attributes);
}

function classify(pixels, keep) {
  const begun = performance.now(), outputs = Network.run(network, pixels);
  const took = performance.now() - begun;
  if (keep) clean = outputs;
  const scores = Network.scores(network, outputs[outputs.length - 1]);
  const order = scores.map((_, n) => n).sort((a, b) => scores[b] - scores[a] || a - b);
  const low = Math.min(0, ...scores), high = Math.max(0, ...scores);
  byId("scores").replaceChildren(...order.flatMap((n, rank) => {
    const first = rank === 0 ? "first" : "";
    const bar = element("div", {className: `bar ${first}`});
    bar.style.width = `${100 * Math.abs(scores[n]) / (high - low || 1)}%`;
    bar.style.marginLeft = `${100 * (Math.min(scores[n], 0) - low) / (high - low || 1)}%`;
    return [element("span", {className: first, textContent: network.classes[n]}), bar,
      element("span", {className: first, textContent: scores[n].toFixed(2)})];
  }));
  byId("said").textContent = `${network.classes[order[0]]}, in ${took.toFixed(0)} ms of this ` +
    `computer's time; scores, not probabilities${flipped.length ? `; ${flipped.length} bits turned` : ""}`;
  showMaps(outputs);
  return outputs;
}

function bitAt(words, place) {
  return words[place >> 5] >>> (31 - (place & 31)) & 1;
}

function showMaps(outputs) {
  const layer = network.layers[byId("layer").selectedIndex];
  const bits = outputs[byId("layer").selectedIndex];
  byId("maps").replaceChildren(...Array.from({length: Math.min(SHOWN, layer.outChannels)}, (_, c) => {
    const height = layer.outHeight, width = layer.outWidth;
    const canvas = element("canvas", {width, height, title: `${layer.name}, map ${c}`});
    const image = new ImageData(width, height);
    for (let n = 0; n < width * height; n++)
      image.data.set(bitAt(bits, n * layer.outChannels + c) ? [0, 0, 0, 255] : [255, 255, 255, 255], 4 * n);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }));
}

function choose(canvas) {
  for (const other of byId("samples").children) other.classList.toggle("chosen", other === canvas);
  byId("seen").getContext("2d").drawImage(canvas, 0, 0);
  chosen = pixelsOf(canvas);
  byId("changed").replaceChildren();
  classify(chosen, flipped.length === 0);
}

function difference(words, others) {
  let changed = 0;
  for (let n = 0; n < words.length; n++)
    for (let word = words[n] ^ others[n]; word; word &= word - 1) changed++;
  return changed;
}

function turn(layer, place) {
  const word = layer.kind === "fp_conv" ? place >> 3 : place >> 5;
  layer.weights[word] ^= layer.kind === "fp_conv" ? 1 << (place & 7) : 1 << (place & 31);
}

function turnOne() {
  const layer = network.layers[byId("layer").selectedIndex];
  const unit = layer.kind === "fp_conv" ? 8 : 32;
  let place = Math.floor(Math.random() * layer.weights.length * unit);
  if (layer.kind === "fp_conv" && place % 32 >= 24) place |= 7; // most of a row's last byte is filling
  turn(layer, place);
  flipped.push([layer, place]);
  if (clean === null) return;
  const outputs = classify(chosen, false);
  byId("changed").replaceChildren(
    row("th", "layer", "bits that changed", "of"),
    ...network.layers.slice(0, -1).map((each, n) => row("td", each.name,
      difference(outputs[n], clean[n]).toLocaleString("en"), (32 * clean[n].length).toLocaleString("en"))));
}

function row(kind, ...cells) {
  const made = element("tr");
  made.append(...cells.map(textContent => element(kind, {textContent})));
  return made;
}

function mend() {
  for (const [layer, place] of flipped) turn(layer, place);
  flipped = [];
  byId("changed").replaceChildren();
  classify(chosen, true);
}

function check() {
  const outputs = Network.run(network, knownPicture());
  const sums = Array.from(outputs[outputs.length - 1]);
  const right = sums.every((sum, n) => sum === network.knownAnswer[n]);
  byId("verdict").textContent = `${right ? "right" : "WRONG"}: sums ${sums.join(", ")}` +
    (right ? ", as the file says" : `; the file says ${network.knownAnswer.join(", ")}`);
}

function addSample(canvas) {
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "button");
  canvas.addEventListener("click", () => choose(canvas));
  canvas.addEventListener("keydown", event => { if (event.key === "Enter") choose(canvas); });
  byId("samples").append(canvas);
  return canvas;
}

async function picture(address) {
  const image = await createImageBitmap(await (await fetch(address)).blob(),
    {colorSpaceConversion: "none"});
  return canvasOf(image, image.width, image.height);
}

async function begin() {
  network = Network.load(await (await fetch("cifar10.npz")).arrayBuffer());
  for (const layer of network.layers.slice(0, -1))
    byId("layer").append(element("option", {textContent: layer.name}));
  const samples = await (await fetch("samples.json")).json();
  for (const name of samples) addSample(await picture(name));
  choose(byId("samples").firstChild);
  byId("layer").addEventListener("change", () => showMaps(Network.run(network, chosen)));
  byId("flip").addEventListener("click", turnOne);
  byId("mend").addEventListener("click", mend);
  byId("check").addEventListener("click", check);
  byId("file").addEventListener("change", async event => {
    const [file] = event.target.files;
    if (!file) return;
    try {
      choose(addSample(await picture(URL.createObjectURL(file))));
    } catch (error) {
      byId("said").textContent = `${file.name} can't be read as a picture`;
    }
  });
  document.body.dataset.ready = "yes";
}

begin().catch(error => {
  byId("said").textContent = `the network could not be loaded: ${error.message}`;
});
