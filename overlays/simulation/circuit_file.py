"""A circuit as the file that netlist/circuit.h loads: 32-bit words, nets as numbers."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Callable, Dict, Hashable, Iterable, List, Tuple, TypeVar, Union

from overlays.simulation.circuit import (
    MOST_INPUTS,
    ONE,
    ZERO,
    BlockRam,
    BlockRamPort,
    Circuit,
    FlipFlop,
    LutRam,
    Net,
    ShiftRegister,
    Table,
    Unclocked,
    in_order,
    require_driven,
)

MAGIC, VERSION = 0x434E4E42, 1
_LUT_RAM, _SHIFT_REGISTER = 7, 8  # kinds of a run; fewer is a table of so many inputs
Item = TypeVar("Item")
_MODES = {"WRITE_FIRST": 0, "READ_FIRST": 1, "NO_CHANGE": 2}


def write(circuit: Circuit, path: Union[str, Path]) -> None:
    """Write `circuit` for the interpreter.

    Raises
    ------
    CircuitError
        If a net has two drivers or none, or there is a loop without a clock.
    """
    require_driven(circuit)
    with open(path, "wb") as file:
        array("I", _Writer(circuit).words()).tofile(file)


class _Writer:
    """Numbers the nets: constants, inputs, block RAM, flip-flops, then all that isn't clocked."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.numbers: Dict[Net, int] = {ZERO: 0, ONE: 1}
        for port in circuit.ports:
            if port.is_input:
                self._number(port.nets)
        for ram in circuit.block_rams:
            for side in ram.ports:
                self._number(side.outputs)
        self.first_flip_flop = len(self.numbers)
        self.flip_flops = _together(circuit.flip_flops, _control)
        self._number(each.output for group in self.flip_flops for each in group)
        self.first_output = len(self.numbers)
        self.runs: List[Tuple[int, List[Unclocked]]] = []
        self.lut_rams: List[List[LutRam]] = []
        self.shift_registers: List[ShiftRegister] = []
        for level in in_order(circuit):
            self._plan(level)

    def _plan(self, level: List[Unclocked]) -> None:
        """Neighbours of one kind need no decision between them, nor memories a second address."""
        for group in sorted(_together(level, _kind), key=lambda group: _kind(group[0])):
            kind = _kind(group[0])
            if kind == _LUT_RAM:
                memories = _together([each for each in group if isinstance(each, LutRam)],
                                     _addressed)
                self.lut_rams += memories
                self.runs.append((kind, [memory[0] for memory in memories]))
                for memory in memories:
                    self._number(each.output for each in memory)
                continue
            if kind == _SHIFT_REGISTER:
                self.shift_registers += [each for each in group
                                         if isinstance(each, ShiftRegister)]
            self.runs.append((kind, group))
            self._number(each.output for each in group)

    def _number(self, nets: Iterable[Net]) -> None:
        for net in nets:
            self.numbers[net] = len(self.numbers)

    def words(self) -> List[int]:
        made = [MAGIC, VERSION, len(self.numbers), self.first_flip_flop, self.first_output]
        made += self._list(self._starting_high())
        made.append(len(self.runs))
        for kind, run in self.runs:
            made += [kind, len(run)]
        memories = {id(each): place for kind in ((group[0] for group in self.lut_rams),
                                                 self.shift_registers)
                    for place, each in enumerate(kind)}
        for _, run in self.runs:
            for each in run:
                made += _pair(each.content if isinstance(each, Table) else memories[id(each)])
                made += self._padded(each.inputs if isinstance(each, Table) else each.address)
        made += self._clocked()
        made.append(len(self.circuit.ports))
        for port in self.circuit.ports:
            made += [len(port.name), *port.name.encode("ascii"), int(port.is_input)]
            made += self._nets(port.nets)
        return made

    def _clocked(self) -> List[int]:
        made = [len(self.flip_flops)]
        for group in self.flip_flops:
            made += [self.numbers[group[0].enable], self.numbers[group[0].reset],
                     group[0].reset_value]
            made += self._nets(each.data for each in group)
        made.append(len(self.lut_rams))
        for rams in self.lut_rams:
            made += [self.numbers[rams[0].enable], *self._padded(rams[0].write_address)]
            made += self._nets(each.data for each in rams)
            for each in rams:
                made += _pair(each.content)
        made.append(len(self.shift_registers))
        for shift in self.shift_registers:
            made += [shift.content, self.numbers[shift.data], self.numbers[shift.enable]]
        made.append(len(self.circuit.block_rams))
        for block_ram in self.circuit.block_rams:
            made += self._block_ram(block_ram)
        return made

    def _block_ram(self, ram: BlockRam) -> List[int]:
        made = [ram.bits]
        for port in ram.ports:
            made += self._block_ram_port(port)
        return made + self._list(ram.ones)

    def _block_ram_port(self, port: BlockRamPort) -> List[int]:
        first = self.numbers[port.outputs[0]] if port.outputs else 0
        return [self.numbers[port.enable], self.numbers[port.reset], _MODES[port.mode],
                *_pair(port.reset_value), first, len(port.outputs),
                *self._nets(port.address), *self._nets(port.data),
                *self._nets(port.write_enables)]

    def _starting_high(self) -> Iterable[int]:
        yield self.numbers[ONE]
        for flip_flop in self.circuit.flip_flops:
            if flip_flop.start:
                yield self.numbers[flip_flop.output]
        for ram in self.circuit.block_rams:
            for port in ram.ports:
                for place, net in enumerate(port.outputs):
                    if port.start >> place & 1:
                        yield self.numbers[net]

    def _padded(self, nets: Iterable[Net]) -> List[int]:
        numbers = [self.numbers[net] for net in nets]
        return numbers + [self.numbers[ZERO]] * (MOST_INPUTS - len(numbers))

    def _nets(self, nets: Iterable[Net]) -> List[int]:
        return self._list(self.numbers[net] for net in nets)

    @staticmethod
    def _list(numbers: Iterable[int]) -> List[int]:
        made = list(numbers)
        return [len(made), *made]


def _together(items: Iterable[Item], key: Callable[[Item], Hashable]) -> List[List[Item]]:
    """The items in groups of one key each, in the order in which the keys come first."""
    groups: Dict[Hashable, List[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def _control(flip_flop: FlipFlop) -> Hashable:
    return flip_flop.enable, flip_flop.reset, flip_flop.reset_value


def _addressed(ram: LutRam) -> Hashable:
    return ram.address, ram.write_address, ram.enable


def _kind(each: Unclocked) -> int:
    if isinstance(each, Table):
        return len(each.inputs)
    return _LUT_RAM if isinstance(each, LutRam) else _SHIFT_REGISTER


def _pair(number: int) -> Tuple[int, int]:
    return number & 0xFFFFFFFF, number >> 32
