"""What the primitives of a 7-series slice are, in a circuit's terms (UG474, UG953)."""

from __future__ import annotations

from typing import List, Sequence

from overlays.simulation.circuit import ONE, LutRam, Net, ShiftRegister, Table, table

_MUX = 0b11001010  # I0, I1, S; the carry's DI, CI, S too: a propagating S hands the carry on
_XOR = 0b0110


def mux(name: str, low: Net, high: Net, select: Net, output: Net) -> Table:
    """A MUXF7 or MUXF8."""
    return table(name, _MUX, (low, high, select), output)


def carry_sum(name: str, select: Net, carry: Net, output: Net) -> Table:
    """An O of a CARRY4; `carry` comes from the place before, or is CI or CYINIT."""
    return table(name, _XOR, (select, carry), output)


def carry_out(name: str, data: Net, select: Net, carry: Net, output: Net) -> Table:
    """A CO of a CARRY4."""
    return table(name, _MUX, (data, carry, select), output)


def carry4(name: str, carry: Net, data: Sequence[Net], select: Sequence[Net],
           sums: Sequence[Net], carries: Sequence[Net]) -> List[Table]:
    """A whole CARRY4."""
    made = []
    for place in range(4):
        made.append(carry_sum(name, select[place], carry, sums[place]))
        made.append(carry_out(name, data[place], select[place], carry, carries[place]))
        carry = carries[place]
    return made


def shift_register(name: str, content: int, address: Sequence[Net], data: Net, enable: Net,
                   output: Net) -> ShiftRegister:
    """An SRL16E or SRLC32E, by the length of its address."""
    return ShiftRegister(name, content, tuple(address), data, enable, output)


def last_of_shift_register(name: str, content: int, data: Net, enable: Net,
                           output: Net) -> ShiftRegister:
    """Q31 of an SRLC32E: the same, 32 long."""
    return ShiftRegister(name, content, (ONE,) * 5, data, enable, output)


def lut_ram_32_by_2(name: str, content: int, address: Sequence[Net],
                    write_address: Sequence[Net], data: Sequence[Net], enable: Net,
                    outputs: Sequence[Net]) -> List[LutRam]:
    """A quarter of a RAM32M: the even bits of `content` are one memory, the odd ones another."""
    return [LutRam(f"{name}[{bit}]", every_other(content, bit, 32), tuple(address),
                   tuple(write_address), data[bit], enable, outputs[bit]) for bit in range(2)]


def every_other(content: int, first: int, count: int) -> int:
    """`count` bits of a number, every other one from the `first` on."""
    return sum((content >> 2 * place + first & 1) << place for place in range(count))
