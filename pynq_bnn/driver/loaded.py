"""A network in a device: what is known once it is loaded, and its programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from host_ref.parameters import Parameters
from pynq_bnn.devices import Device
from pynq_bnn.driver import packing, program
from pynq_bnn.driver.chain import Chain
from pynq_bnn.driver.following import Program
from pynq_bnn.driver.memory import DeviceMemory

PROGRAMS = 24
"""Programs that are kept.  Of one call's runs seven were counted at most, with one picture or a
thousand; there can be hundreds in all, of each number of batches in each slot, and the next in
another.
"""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A network in a device: everything that is known once it is loaded.

    `shape` is one picture's; `overlaps` if a full batch's first layer can be computed beside the
    last ones of the batch before; `chain` says how several full batches make one run, if they can.
    `programs` has the address and the steps of the programs that lie in its memory, the one used
    last behind; `cycles` has how long one of a kind took.
    """

    device: Device
    parameters: Parameters
    stream: packing.ParameterStream
    memory: DeviceMemory
    batch: int
    counters: bool
    shape: Tuple[int, int, int]
    overlaps: bool
    chain: Optional[Chain]
    programs: Dict[Program, Tuple[int, List[program.Step]]] = field(default_factory=dict)
    cycles: Dict[Tuple[int, bool, bool], int] = field(default_factory=dict)

    @property
    def run_size(self) -> int:
        """Most pictures in a run."""
        return self.batch * (self.chain.longest if self.chain else 1)

    def can_follow(self, count: int, following: int) -> bool:
        """Whether a run of `count` pictures can begin with so many of the next."""
        able = self.overlaps if count == self.batch else count > self.batch
        return able and following >= self.batch

    def program_of(self, which: Program) -> Tuple[int, List[program.Step]]:
        """Address and steps of a program, written unless it is one of those that were used last.

        It may be written over another one: whoever calls this knows that none is running.
        """
        known = self.programs.pop(which, None)
        if known is None:
            steps = self._steps(which)
            word = self._program_place()
            self.memory.write("programs", program.encode(steps), word)
            known = self.memory.address("programs", word), steps
        self.programs[which] = known
        return known

    def _program_place(self) -> int:
        """Word of a place in the programs' buffer, of the one unused longest if all are taken."""
        if len(self.programs) == PROGRAMS:
            del self.programs[next(iter(self.programs))]
        taken = {address for address, _ in self.programs.values()}
        words = map(self.memory.program_word, range(PROGRAMS))
        return next(word for word in words
                    if self.memory.address("programs", word) not in taken)

    def _steps(self, which: Program) -> List[program.Step]:
        memory = self.memory

        def pictures(slot: int) -> int:
            return memory.address("pictures", memory.pictures_word(slot))

        chained = self.chain is not None and which.pictures > self.batch
        addresses = program.Addresses(
            None if which.prepared and not chained else pictures(which.slot),
            memory.address("parameters"), memory.address("sums", memory.sums_word(which.slot)),
            None if which.following is None else pictures(which.following))
        if self.chain is not None and chained:
            return self.chain.steps(addresses, which.pictures // self.batch, which.prepared)
        return program.network_program(self.parameters.network, self.stream, addresses,
                                       which.pictures)
