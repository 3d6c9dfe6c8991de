// The network in the browser: the shipped parameter file, exact integers, no dependency.
//
// Written from docs/contract.md alone and sharing nothing with host_ref; tests/docs compares every
// layer of both. A bit 1 is -1, and 32 channels lie in a word, the first in its highest bit, as the
// parameter file packs them.
"use strict";

const Network = (() => {
  // The parameter file: a zip of .npy arrays that are stored, not compressed.

  function readNpz(buffer) {
    const bytes = new Uint8Array(buffer), view = new DataView(buffer);
    let end = bytes.length - 22;
    while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
    if (end < 0) throw new Error("not a zip file");
    const arrays = {};
    let place = view.getUint32(end + 16, true);
    for (let n = view.getUint16(end + 10, true); n > 0; n--) {
      const length = view.getUint16(place + 28, true);
      const name = text(bytes.subarray(place + 46, place + 46 + length));
      if (view.getUint16(place + 10, true) !== 0) throw new Error(`${name} is compressed`);
      const local = view.getUint32(place + 42, true);
      const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      arrays[name.replace(/\.npy$/, "")] = readNpy(
        bytes.slice(start, start + view.getUint32(place + 24, true)));
      place += 46 + length + view.getUint16(place + 30, true) + view.getUint16(place + 32, true);
    }
    return arrays;
  }

  function readNpy(bytes) {
    const start = 10 + bytes[8] + 256 * bytes[9];
    const header = text(bytes.subarray(10, start));
    const type = /'descr': '([^']+)'/.exec(header)[1];
    const data = bytes.slice(start).buffer;
    if (type === "|u1") return new Uint8Array(data);
    if (type === "<f4") return new Float32Array(data);
    throw new Error(`an array of type ${type}`);
  }

  function text(bytes) {
    let made = "";
    for (const byte of bytes) made += String.fromCharCode(byte);
    return made;
  }

  // The description says kinds and widths; shapes follow from them.

  function load(buffer) {
    const arrays = readNpz(buffer);
    const header = JSON.parse(text(arrays.header));
    let {height, width} = header.network;
    let channels = 3;
    const layers = header.network.layers.map(each => {
      const conv = each.kind === "fp_conv" || each.kind === "bin_conv";
      const shrink = conv && each.padding === "none" ? 2 : 0;
      const layer = {
        name: each.name, kind: each.kind, conv, padding: each.padding, pool: Boolean(each.pool),
        inHeight: height, inWidth: width, inChannels: channels, outChannels: each.outputs,
        sumHeight: conv ? height - shrink : 1, sumWidth: conv ? width - shrink : 1,
        k: arrays[`${each.name}.k`], h: arrays[`${each.name}.h`],
      };
      layer.taps = (conv ? 9 : height * width) * channels;
      layer.weights = each.kind === "fp_conv" ? arrays[`${each.name}.weights`]
        : words(arrays[`${each.name}.weights`]);
      height = layer.outHeight = layer.pool ? layer.sumHeight / 2 : layer.sumHeight;
      width = layer.outWidth = layer.pool ? layer.sumWidth / 2 : layer.sumWidth;
      channels = layer.outChannels;
      return layer;
    });
    return {name: header.name, classes: header.classes, knownAnswer: header.known_answer, layers};
  }

  function words(bytes) {
    const made = new Uint32Array(bytes.length / 4), view = new DataView(bytes.buffer);
    for (let n = 0; n < made.length; n++) made[n] = view.getUint32(4 * n);
    return made;
  }

  function count(word) {
    word -= (word >>> 1) & 0x55555555;
    word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
    return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }

  // Sums of one layer: Int32Array, pixel by pixel, outputs within a pixel.

  function firstSums(layer, pixels) {
    const {inHeight, inWidth, sumHeight, sumWidth, outChannels} = layer;
    const rowBytes = Math.ceil(layer.taps / 8), from = layer.padding === "none" ? 0 : -1;
    const sums = new Int32Array(sumHeight * sumWidth * outChannels);
    const signs = new Int8Array(outChannels * 27);
    for (let o = 0; o < outChannels; o++)
      for (let t = 0; t < 27; t++)
        signs[o * 27 + t] = layer.weights[o * rowBytes + (t >> 3)] >> (7 - (t & 7)) & 1 ? -1 : 1;
    for (let y = 0; y < sumHeight; y++)
      for (let x = 0; x < sumWidth; x++)
        for (let ky = 0; ky < 3; ky++)
          for (let kx = 0; kx < 3; kx++) {
            const row = y + from + ky, column = x + from + kx;
            if (row < 0 || row >= inHeight || column < 0 || column >= inWidth) continue;
            for (let c = 0; c < 3; c++) {
              const value = 2 * pixels[(row * inWidth + column) * 3 + c] - 255;
              const tap = (ky * 3 + kx) * 3 + c, place = (y * sumWidth + x) * outChannels;
              for (let o = 0; o < outChannels; o++) sums[place + o] += signs[o * 27 + tap] * value;
            }
          }
    return sums;
  }

  function convSums(layer, bits) {
    const {inHeight, inWidth, inChannels, sumHeight, sumWidth, outChannels} = layer;
    const size = inChannels / 32, from = layer.padding === "none" ? 0 : -1;
    const sums = new Int32Array(sumHeight * sumWidth * outChannels);
    for (let y = 0; y < sumHeight; y++)
      for (let x = 0; x < sumWidth; x++) {
        const place = (y * sumWidth + x) * outChannels;
        for (let tap = 0; tap < 9; tap++) {
          const row = y + from + Math.trunc(tap / 3), column = x + from + tap % 3;
          const inside = row >= 0 && row < inHeight && column >= 0 && column < inWidth;
          if (!inside && layer.padding !== "one") continue;
          const source = (row * inWidth + column) * size;
          for (let o = 0; o < outChannels; o++) {
            const weight = (o * 9 + tap) * size;
            let wrong = 0;
            for (let n = 0; n < size; n++)
              wrong += count((inside ? bits[source + n] : 0) ^ layer.weights[weight + n]);
            sums[place + o] += inChannels - 2 * wrong;
          }
        }
      }
    return sums;
  }

  function fullSums(layer, bits) {
    const size = layer.taps / 32, sums = new Int32Array(layer.outChannels);
    for (let o = 0; o < layer.outChannels; o++) {
      let wrong = 0;
      for (let n = 0; n < size; n++) wrong += count(bits[n] ^ layer.weights[o * size + n]);
      sums[o] = layer.taps - 2 * wrong;
    }
    return sums;
  }

  // Pooling takes the largest sum; then the sign of k s + h, exact in double precision.

  function threshold(layer, sums) {
    const {sumWidth, outHeight, outWidth, outChannels, k, h} = layer;
    const bits = new Uint32Array(outHeight * outWidth * outChannels / 32);
    const at = (y, x, o) => sums[(y * sumWidth + x) * outChannels + o];
    for (let y = 0; y < outHeight; y++)
      for (let x = 0; x < outWidth; x++)
        for (let o = 0; o < outChannels; o++) {
          const sum = !layer.pool ? at(y, x, o) : Math.max(
            at(2 * y, 2 * x, o), at(2 * y, 2 * x + 1, o),
            at(2 * y + 1, 2 * x, o), at(2 * y + 1, 2 * x + 1, o));
          if (k[o] * sum + h[o] < 0) {
            const place = (y * outWidth + x) * outChannels + o;
            bits[place >> 5] |= 1 << (31 - (place & 31));
          }
        }
    return bits;
  }

  // Every layer's output for pixels uint8 (H W 3): words of bits, of the last layer its sums.

  function run(network, pixels) {
    const outputs = [];
    let bits = pixels;
    for (const layer of network.layers) {
      const sums = layer.kind === "fp_conv" ? firstSums(layer, bits)
        : layer.conv ? convSums(layer, bits) : fullSums(layer, bits);
      bits = layer.kind === "last" ? sums : threshold(layer, sums);
      outputs.push(bits);
    }
    return outputs;
  }

  function scores(network, sums) {
    const {k, h} = network.layers[network.layers.length - 1];
    return Array.from(sums, (sum, n) => Math.fround(Math.fround(k[n] * sum) + h[n]));
  }

  return {load, run, scores};
})();
