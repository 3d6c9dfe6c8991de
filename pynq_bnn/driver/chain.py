"""Several batches in one program: FC layers of one are computed beside convolutions of the next.

A batch's last convolutions and FC layers keep to parts of map B (FMAP_C and FMAP_D), and so do the
FC layers' weights to a stream that convolutions leave idle most of the time.  So they stand behind
the next batch's first convolutions, which go on beside them; and that batch's first layer, which
takes map A, stands beside the last convolutions of the batch before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Sequence, Tuple

from host_ref import network as net
from pynq_bnn import registers
from pynq_bnn.driver import packing, program
from pynq_bnn.driver.program import Addresses, Step

BATCHES_MAX = 32
"""More gain nothing: a chain's end costs 1 % by then, and memory holds all its pictures."""
CONV_RATE = 18
"""So many products of a convolution take as long as one of an FC layer: 18,432 lanes, and 1,024."""

ANYWHERE = Addresses(1 << 28, 2 << 28, 3 << 28, 4 << 28)
"""Where a program's length alone is asked for: no two of its addresses may be the same."""


@dataclass(frozen=True)
class Chain:
    """How batches of `batch` pictures of a network follow one another in a program.

    Attributes
    ----------
    turn : int
        The last layer that touches map A, which it reads.
    behind : dict of int to tuple of int
        The layers of the batch before that stand behind a convolution.
    longest : int
        Most batches of which the device takes a program, with the next run's first layer too.
    """

    network: net.Network
    stream: packing.ParameterStream
    batch: int
    turn: int
    behind: Dict[int, Tuple[int, ...]]
    longest: int = 0

    def output(self, network: net.Network, index: int) -> int:
        """The buffer that a layer writes: A and B by turns, then C and D."""
        if network.layers[index].kind == net.LAST:
            return registers.SUMS
        if index <= self.turn:
            return registers.FMAP_B if index % 2 else registers.FMAP_A
        return registers.QUARTERS[(index - self.turn - 1) % 2]

    def steps(self, addresses: Addresses, batches: int, prepared: bool) -> List[Step]:
        """A run of so many batches, pictures and sums one batch after another in DRAM.

        Parameters
        ----------
        prepared : bool
            Whether the run before computed the first batch's first layer.
        """
        network, batch = self.network, self.batch
        convs = _convolutions(network)
        pictures_bytes = packing.WORD_BYTES * packing.picture_burst_words(
            network.height, network.width, batch)
        sums_words = packing.output_words(network.layers[-1], batch)
        steps: List[Step] = []
        waiting: List[int] = []  # neighbours in the stream: one LOAD brings their parameters
        made: Dict[Tuple[int, ...], List[Step]] = {}  # each batch's are the same

        def begin() -> None:
            layers = tuple(waiting)
            if layers and layers not in made:
                first, last = self.stream.spans[layers[0]], self.stream.spans[layers[-1]]
                made[layers] = program.load_parameters(
                    addresses.parameters + first.start * packing.WORD_BYTES,
                    last.start + last.count - first.start)
                for index in layers:
                    made[layers] += program.compute(network, index, batch, self.output)
            steps.extend(made.get(layers, ()))
            waiting.clear()

        def run(index: int) -> None:
            if waiting and index != waiting[-1] + 1:
                begin()
            waiting.append(index)

        def first_layer(pictures: int) -> None:
            begin()  # a LOAD of pictures could not begin while parameters wait
            steps.extend(program.load_pictures(network, pictures, batch))
            run(0)

        def fc(layers: Sequence[int], number: int) -> None:
            for index in layers:
                run(index)
            if layers and layers[-1] == len(network.layers) - 1:
                begin()
                place = addresses.sums + number * sums_words * packing.WORD_BYTES
                steps.extend(program.store(registers.SUMS, place, sums_words))

        if addresses.pictures is None:
            raise ValueError("a chain's pictures lie somewhere, prepared or not")
        if not prepared:
            first_layer(addresses.pictures)
        for number in range(batches):
            for index in range(1, convs):
                run(index)
                if number:
                    fc(self.behind.get(index, ()), number - 1)
                if index == self.turn and number + 1 < batches:
                    first_layer(addresses.pictures + (number + 1) * pictures_bytes)
        if addresses.following is not None:
            first_layer(addresses.following)
        fc(range(convs, len(network.layers)), batches - 1)
        return _thinned(steps)


def plan(network: net.Network, stream: packing.ParameterStream, batch: int, fmap_rows: int,
         program_steps: int) -> Optional[Chain]:
    """How full batches of a network make a chain; None if they can't, or would gain nothing."""
    layers, convs = network.layers, _convolutions(network)
    rows = [batch * packing.fmap_rows(layer) for layer in layers]
    large = max((index for index, each in enumerate(rows) if 4 * each > fmap_rows), default=0)
    turn = large + 1 if large % 2 == 0 else large + 2
    if turn >= convs - 1:  # the last convolution would write where the next batch's maps go
        return None
    # what FC layers need lies in B's second half: they stand before whatever else is written there
    over = min((index for index in range(1, turn + 1, 2) if 2 * rows[index] > fmap_rows),
               default=turn + 1)
    hosts = [index for index in range(1, over, 2)
             if layers[index].pool and 4 * rows[index] <= fmap_rows]
    if not hosts:
        return None
    behind = _shared_out(network, hosts, range(convs, len(layers)))
    any_length = Chain(network, stream, batch, turn, behind)
    # every batch more between the first and the last takes as many steps
    two, three = (len(any_length.steps(ANYWHERE, batches, False)) for batches in (2, 3))
    longest = min(BATCHES_MAX, 2 + (program_steps - two) // (three - two))
    return replace(any_length, longest=longest) if longest > 1 else None


def _convolutions(network: net.Network) -> int:
    return sum(layer.is_conv for layer in network.layers)


def _shared_out(network: net.Network, hosts: Sequence[int],
                layers: Sequence[int]) -> Dict[int, Tuple[int, ...]]:
    """Behind which host each FC layer stands: the next one where a host's time is used up."""
    behind: Dict[int, Tuple[int, ...]] = {}
    left, used = list(hosts), 0
    for index in layers:
        if len(left) > 1 and CONV_RATE * used >= network.layers[left[0]].macs:
            del left[0]
            used = 0
        behind[left[0]] = (*behind.get(left[0], ()), index)
        used += network.layers[index].macs
    return behind


def _thinned(steps: Sequence[Step]) -> List[Step]:
    """Without writes of what a register holds already."""
    held: Dict[str, int] = {}
    left = []
    for step in steps:
        if step.register == "STAGE" or held.get(step.register) != step.value:
            left.append(step)
        held[step.register] = step.value
    return left
