"""Random programs of small networks, with mistakes in them."""

from typing import List, NamedTuple, Sequence, Tuple

import numpy as np

from host_ref import network as net
from host_ref.random_networks import random_parameters
from pynq_bnn import registers as r
from pynq_bnn.driver import packing, program

BASE, MEMORY_BYTES = 0x1000_0000, 64 << 20
"""Where the simulated devices' memory lies."""
ARENA_BYTES = 1 << 19
"""So much of it, from BASE, a case sets."""
FMAP_ROWS = 512
"""Of the small configuration."""
PROGRAM, PICTURES, SUMS, PARAMETERS = (BASE + place for place in (0, 0x1000, 0x3000, 0x4000))


class Case(NamedTuple):
    """A program, (register offset, value) a step, and the memory it meets."""

    steps: List[Tuple[int, int]]
    address: int
    count: int
    arena: np.ndarray


def random_case(rng: np.random.Generator, mistakes: int) -> Case:
    """A small network's run, or its parameters' way through the accelerator, with mistakes."""
    network = _network(rng)
    stream = packing.pack_parameters(random_parameters(network, rng))
    batch = int(rng.integers(1, 3))
    pictures = rng.integers(0, 256, (batch, network.height, network.width, 3)).astype(np.uint8)
    if rng.random() < 0.2:
        some = min(int(rng.integers(1, 40)) * packing.BURST_WORDS, len(stream.words))
        right = [*program.load_parameters(PARAMETERS, some), *program.store(r.PARAMS, SUMS, some)]
    else:
        follows = (program.can_follow(network, batch, FMAP_ROWS)
                   and rng.random() < 0.7)
        right = program.network_program(network, stream, program.Addresses(
            PICTURES, PARAMETERS, SUMS, PICTURES if follows else None), batch)
    steps = _writes(right)
    for _ in range(mistakes):
        _mistake(rng, steps)
    address, count = PROGRAM, len(steps)
    if mistakes and rng.random() < 0.03:
        address = _address(rng)
    if mistakes and rng.random() < 0.03:
        count = int(rng.integers(0, len(steps) + 20))
    arena = rng.integers(0, 256, ARENA_BYTES).astype(np.uint8)
    _put(arena, PROGRAM, _words(steps))
    _put(arena, PICTURES, packing.pack_pictures(pictures))
    _put(arena, PARAMETERS, stream.words)
    return Case(steps, address, count, arena)


def with_steps(case: Case, steps: Sequence[program.Step]) -> Case:
    """The same memory and another program."""
    writes, arena = _writes(steps), case.arena.copy()
    _put(arena, PROGRAM, _words(writes))
    return Case(writes, PROGRAM, len(writes), arena)


def _writes(steps: Sequence[program.Step]) -> List[Tuple[int, int]]:
    return [(r.offset(step.register), step.value) for step in steps]


def _words(writes: List[Tuple[int, int]]) -> np.ndarray:
    return np.array([offset | value << 32 for offset, value in writes], "<u8")


def _put(arena: np.ndarray, address: int, words: np.ndarray) -> None:
    data = words.view(np.uint8)
    arena[address - BASE:address - BASE + len(data)] = data


def _network(rng: np.random.Generator) -> net.Network:
    height, width = picture = [int(side) for side in rng.integers(1, 7, 2)]
    layers = []
    for kind in (net.FP_CONV, net.BIN_CONV, net.BIN_FC, net.LAST):
        if kind in (net.BIN_CONV, net.BIN_FC) and rng.random() < 0.5:
            continue
        layer = {"name": kind, "kind": kind, "outputs": 64 * int(rng.integers(1, 4))}
        if kind == net.LAST:
            layer["outputs"] = int(rng.integers(2, 20))
        elif kind != net.BIN_FC:
            layer["padding"] = net.ZERO if kind == net.FP_CONV or rng.random() < 0.5 else net.ONE
            layer["pool"] = height % 2 == width % 2 == 0 and rng.random() < 0.5
            if layer["pool"]:
                height, width = height // 2, width // 2
        layers.append(layer)
    return net.Network.from_description(
        {"height": picture[0], "width": picture[1], "layers": layers})


def _mistake(rng: np.random.Generator, steps: List[Tuple[int, int]]) -> None:
    """One step goes, comes twice or elsewhere, or writes something else."""
    if not steps:
        return
    place = int(rng.integers(len(steps)))
    offset, value = steps[place]
    kind = rng.integers(8)
    if kind == 0:
        del steps[place]
    elif kind == 1:
        steps.insert(int(rng.integers(len(steps) + 1)), steps[place])
    elif kind == 2:
        steps.insert(int(rng.integers(len(steps))), steps.pop(place))
    elif kind == 3:
        bits = [int(bit) for bit in rng.integers(0, (4, 8, 32)[rng.integers(3)], 2)]
        steps[place] = offset, value ^ 1 << bits[0] ^ (1 << bits[1]) * int(rng.integers(2))
    elif kind == 4:
        values = [0, 1, value + 1, value + 128, 2 * value, value // 2, 0xFFFFFFFF,
                  int(rng.integers(1 << 32)), int(rng.integers(8)), *(v for _, v in steps)]
        steps[place] = offset, values[rng.integers(len(values))] & 0xFFFFFFFF
    elif kind == 5:
        offsets = [*(r.offset(name) for name in r.PROGRAMMABLE), int(rng.integers(1 << 32)),
                   4 * int(rng.integers(64))]
        steps[place] = offsets[rng.integers(len(offsets))], value
    elif kind == 6:
        _replace(rng, steps, "DMA_ADDRESS", _address(rng))
    else:
        count = (64, 4096, 1 << 25)[rng.integers(3)]
        _replace(rng, steps, "DMA_BYTES", 128 * int(rng.integers(count)))


def _replace(rng: np.random.Generator, steps: List[Tuple[int, int]], name: str,
             value: int) -> None:
    """Let one of the writes to a register write `value`."""
    places = [place for place, (offset, _) in enumerate(steps) if offset == r.offset(name)]
    if places:
        steps[places[rng.integers(len(places))]] = r.offset(name), value


def _address(rng: np.random.Generator) -> int:
    """In memory, mostly near its end or outside, mostly aligned."""
    bursts = 128 * int(rng.integers(40))
    places = [BASE + bursts, BASE - bursts, BASE + MEMORY_BYTES - bursts,
              BASE + MEMORY_BYTES - bursts // 16, BASE + MEMORY_BYTES + bursts, bursts,
              PARAMETERS + bursts, int(rng.integers(1 << 32)), PICTURES + 8]
    return places[rng.integers(len(places))] & 0xFFFFFFFF
