"""The integer model's speed, and why it multiplies float32.

Runs the CIFAR-10 network with random parameters twice, layer by layer: by the integer model (BLAS)
and with packed bits (xor and popcount in numpy), checks that both give the same sums, and prints a
table of wall-clock milliseconds a picture: ``python -m benchmarks.host_ref_throughput``.

BLAS takes all cores and suffers where they are busy; with OPENBLAS_NUM_THREADS=1 both take one.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

import numpy as np

from host_ref import network as net
from host_ref.integer import IntegerModel
from host_ref.random_networks import random_parameters

_BITS_SET = np.array([bin(number).count("1") for number in range(1 << 16)], dtype=np.uint8)


def popcount(words):
    """Set bits in each uint64 (numpy 2 has an instruction for it, older ones look them up)."""
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(words)
    return _BITS_SET[words.view(np.uint16).reshape(*words.shape, 4)].sum(axis=-1, dtype=np.uint8)


def pack(bits):
    """uint64 words of bits (..., 64·n)."""
    return np.packbits(bits, axis=-1).view(np.uint64)


def packed_sums(layer, weights, x):
    """Sums (N, H', W', outputs) of binary `x` (N, H, W, C): taps - 2·popcount(w xor x)."""
    outputs = layer.out_channels
    correction = np.int32(0)
    if layer.is_conv:
        map_words = np.pad(pack(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
        weight_words = pack(weights).reshape(outputs, -1)
        windows = np.concatenate([map_words[:, ky:ky + layer.sum_height, kx:kx + layer.sum_width]
                                  for ky in range(3) for kx in range(3)], axis=-1)
        # a tap outside was packed as +1 and must add nothing
        outside = np.ones((layer.in_height + 2, layer.in_width + 2), dtype=np.int32)
        outside[1:-1, 1:-1] = 0
        tap_sums = layer.in_channels - 2 * weights.sum(axis=3, dtype=np.int32)
        correction = sum(
            outside[ky:ky + layer.sum_height, kx:kx + layer.sum_width, np.newaxis]
            * tap_sums[:, ky, kx] for ky in range(3) for kx in range(3))
    else:
        weight_words = pack(weights)
        windows = pack(x.reshape(len(x), 1, 1, -1))
    sums = np.empty(windows.shape[:3] + (outputs,), dtype=np.int32)
    step = 1 if layer.is_conv else len(x)  # few pictures and one word at a time stay in the cache
    for start in range(0, len(x), step):
        part = windows[start:start + step]
        counts = np.zeros(part.shape[:3] + (outputs,), dtype=np.int16)
        for word in range(part.shape[-1]):
            counts += popcount(part[..., word, np.newaxis] ^ weight_words[:, word])
        sums[start:start + step] = layer.taps - 2 * counts - correction
    return sums


def milliseconds(repeats, function, *arguments):
    """The fastest of `repeats` calls, in ms, and what it returned."""
    best, result = float("inf"), None
    for _ in range(repeats):
        started = time.perf_counter()
        result = function(*arguments)
        best = min(best, time.perf_counter() - started)
    return 1000 * best, result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    parameters = random_parameters(net.CIFAR10, rng)
    model = IntegerModel(parameters)
    count = options.images
    images = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    print(f"{count} pictures, best of {options.repeats}, numpy {np.__version__}, "
          f"{os.cpu_count()} cores, OPENBLAS_NUM_THREADS="
          f"{os.environ.get('OPENBLAS_NUM_THREADS', 'unset')}, {platform.machine()}; "
          "ms a picture, sums alone")
    print("| layer | BLAS float32 | packed bits | sums differing |\n|---|---|---|---|")
    totals = [0.0, 0.0]
    x = images
    for index, layer in enumerate(net.CIFAR10.layers):
        blas, sums = milliseconds(options.repeats, model.layer_sums, index, x)
        if index == 0:  # its input isn't binary
            packed, differing = blas, "not binary: BLAS in both"
        else:
            packed, other = milliseconds(options.repeats, packed_sums, layer,
                                         parameters.layers[index].weights, x)
            differing = np.count_nonzero(other != sums)
        totals = [totals[0] + blas / count, totals[1] + packed / count]
        print(f"| {layer.name} | {blas / count:.2f} | {packed / count:.2f} | {differing} |")
        x = model.layer_output(index, x)
    print(f"| all | {totals[0]:.2f} | {totals[1]:.2f} | |")
    faster, slower = ("BLAS", "packed bits") if totals[0] < totals[1] else ("packed bits", "BLAS")
    print(f"{faster}: {max(totals) / min(totals):.1f} times as fast as {slower}")
    whole, _ = milliseconds(options.repeats, model.sums, images)
    print(f"whole integer model, thresholds and pooling included: {1000 * count / whole:.1f} "
          "pictures/s")


if __name__ == "__main__":
    main()
