"""A network in a device: what is known once it is loaded, and its programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from host_ref.parameters import Parameters
from pynq_bnn.devices import Device
from pynq_bnn.driver import packing, program
from pynq_bnn.driver.chain import Chain
from pynq_bnn.driver.following import Program
from pynq_bnn.driver.memory import SLOTS, DeviceMemory

PROGRAMS_OF_FULL_BATCHES = 2 * SLOTS * SLOTS
"""Of each number of full batches: prepared or not, in each slot, and in which the next ones are, if
any.
"""


def most_programs(batch: int, longest: int) -> int:
    """How many programs there can be of a network whose chains are of up to `longest` batches."""
    return SLOTS * (batch - 1) + PROGRAMS_OF_FULL_BATCHES * longest


@dataclass(frozen=True, eq=False)
class Loaded:
    """A network in a device: everything that is known once it is loaded.

    `shape` is one picture's; `overlaps` if a full batch's first layer can be computed beside the
    last ones of the batch before; `chain` says how several full batches make one run, if they can.
    `programs` has the address and the steps of each program that was written, `cycles` how long one
    of its kind took.
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
        """Address and steps of a program; written when first asked for."""
        known = self.programs.get(which)
        if known is None:
            word = self.memory.program_word(len(self.programs))
            steps = self._steps(which)
            self.memory.write("programs", program.encode(steps), word)
            known = self.programs[which] = self.memory.address("programs", word), steps
        return known

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
