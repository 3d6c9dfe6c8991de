"""Run by test_sanitized.py with the sanitizers' library loaded: engine.c on what files may hold.

``sanitized.py ENGINE.C NETWORKS FILES``: random networks, then parameter files with faults whose
checksums are right.  Whatever the reader takes is run and compared with host_ref.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np

from host_ref import network as net
from host_ref.integer import IntegerModel
from host_ref.network import Network, NetworkError
from host_ref.parameters import ParameterError, load, save
from host_ref.random_networks import random_network, random_parameters
from pynq_bnn.cpu import library
from pynq_bnn.cpu.engine import Engine

NASTY = [0, 1, 2, 3, 5, 31, 32, 33, 63, 64, 65, 128, 192, 448, 512, 513, 8192, 8256, -1, -64,
         2**31, 2**63, 1e9, 0.5, True, None, "", [], {}, net.ZERO, net.ONE, net.NONE, net.FP_CONV,
         net.BIN_CONV, net.BIN_FC, net.LAST]
MOST_MACS = 4_000_000
CHECKSUM = re.compile(r"checksum ([0-9a-f]{64}) of what it holds")


def run(parameters, rng):
    """All of engine.c that this network reaches, against host_ref."""
    network = parameters.network
    pictures = rng.integers(0, 256, (2, network.height, network.width, 3)).astype(np.uint8)
    engine = Engine(parameters, 1)
    assert engine.is_compiled
    given = pictures
    for index, expected in enumerate(IntegerModel(parameters).run(pictures)):
        assert np.array_equal(engine.layer_output(index, given), expected)
        given = expected
    assert np.array_equal(engine.sums(pictures), given)


def small_parameters(rng):
    while True:
        network = random_network(rng)
        if network.macs <= MOST_MACS:
            return random_parameters(network, rng)


def places(content, path=()):
    """Every place in a JSON document."""
    if path:
        yield path
    for key, value in (content.items() if isinstance(content, dict) else
                       enumerate(content) if isinstance(content, list) else ()):
        yield from places(value, (*path, key))


def with_a_fault(content, rng):
    """The document with another value somewhere."""
    content = json.loads(json.dumps(content))
    all_places = list(places(content))
    *way, last = all_places[rng.integers(len(all_places))]
    holder = content
    for key in way:
        holder = holder[key]
    holder[last] = NASTY[rng.integers(len(NASTY))]
    return content


def array_with_a_fault(array, rng):
    kind = rng.integers(5)
    if kind == 0:
        return array[:rng.integers(len(array) + 1)]
    if kind == 1:
        return np.concatenate([array, array])
    if kind == 2:
        return array.astype([np.float64, np.int8, np.uint16][rng.integers(3)])
    spoiled = array.copy()
    if array.dtype == np.float32:
        spoiled[rng.integers(len(array))] = [np.nan, np.inf, 1e30, -1e30, 1e-45, -0.0][
            rng.integers(6)]
    else:
        spoiled.view(np.uint8).flat[rng.integers(spoiled.size)] ^= 1 << int(rng.integers(8))
    return spoiled


def written(path, header, arrays):
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    return path


def faulty_file(folder, rng):
    """A file with one fault; its checksum is that of what it holds, if the reader comes so far."""
    path = folder / "some.npz"
    parameters = small_parameters(rng)
    save(path, parameters)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(arrays.pop("header").tobytes())
    kind = rng.integers(3)
    if kind == 0:  # arrays that fit another network
        try:
            network = Network.from_description(with_a_fault(header["network"], rng))
        except NetworkError:
            return path
        if network.macs <= MOST_MACS and network.weight_bits <= 8 * MOST_MACS:
            save(path, random_parameters(network, rng))
        return path
    if kind == 1:
        header = with_a_fault(header, rng)
    else:
        name = sorted(arrays)[rng.integers(len(arrays))]
        arrays[name] = array_with_a_fault(arrays[name], rng)
    try:
        load(written(path, header, arrays))
    except ParameterError as error:
        right = CHECKSUM.search(str(error))
        if right:
            written(path, dict(header, checksum=right.group(1)), arrays)
    return path


def main():
    library.SOURCE = Path(sys.argv[1])
    rng = np.random.default_rng(0)
    for _ in range(int(sys.argv[2])):
        run(small_parameters(rng), rng)
    taken = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(int(sys.argv[3])):
            path = faulty_file(Path(folder), rng)
            try:
                parameters = load(path)
            except ParameterError:
                refused += 1
                continue
            taken += 1
            run(parameters, rng)
    print(json.dumps({"taken": taken, "refused": refused}))


if __name__ == "__main__":
    main()
