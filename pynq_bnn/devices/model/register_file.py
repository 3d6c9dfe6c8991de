"""The register file of a simulated device, made from the one table in `pynq_bnn.registers`."""

from __future__ import annotations

from typing import Callable, Dict, Mapping, Tuple

from pynq_bnn import registers
from pynq_bnn.errors import DeviceError

IDENTIFICATION: Tuple[str, ...] = tuple(
    register.name for register in registers.TABLE
    if register.offset < registers.offset("CONTROL"))
"""Magic, versions and capabilities: they differ between devices and outlive a reset."""

_NAMES: Dict[int, Tuple[str, int]] = {
    offset: (register.name, index) for offset, register, index in registers.words()}


class RegisterFile:
    """Storage and access rules; what a write starts is the business of `on_write`.

    Parameters
    ----------
    identification : mapping of str to int
        The device's own values of registers in :data:`IDENTIFICATION`.
    on_write : callable
        ``on_write(name, value)``, called with each write that the access rules let pass. It
        stores the value with :meth:`set`, or doesn't.
    """

    def __init__(self, identification: Mapping[str, int],
                 on_write: Callable[[str, int], None]) -> None:
        for name, value in identification.items():
            if name not in IDENTIFICATION:
                raise ValueError(f"{name} is none of {', '.join(IDENTIFICATION)}")
            _require_32_bits(name, value)
        self._identification = dict(identification)
        self._on_write = on_write
        self._values: Dict[int, int] = {}
        self.reset()

    def reset(self) -> None:
        """Give every register its reset; identification keeps the device's own values."""
        for offset, register, _ in registers.words():
            self._values[offset] = self._identification.get(register.name, register.reset)

    # The device's side, by name.

    def get(self, name: str, index: int = 0) -> int:
        return self._values[registers.offset(name, index)]

    def set(self, name: str, value: int, index: int = 0) -> None:
        self._values[registers.offset(name, index)] = value & 0xFFFFFFFF

    def fields(self, name: str) -> Dict[str, int]:
        return registers.decode(name, self.get(name))

    # The CPU's side, by offset.

    def read(self, offset: int) -> int:
        """A register's value; 0 of one that can only be written, and where there is none.

        Raises
        ------
        DeviceError
            `offset` is not a multiple of 4, or outside the window.
        """
        _require_in_window(offset)
        name, index = _NAMES.get(offset, (None, 0))
        if name is None or registers.BY_NAME[name].access == registers.WRITE_ONLY:
            return 0
        return self.get(name, index)

    def write(self, offset: int, value: int) -> None:
        """Write a register; one that can only be read ignores it, as does a hole in the table.

        Raises
        ------
        DeviceError
            `offset` is not a multiple of 4, or outside the window.
        ValueError
            `value` is no int of 32 bits.
        """
        _require_in_window(offset)
        name, _ = _NAMES.get(offset, (None, 0))
        _require_32_bits(name or f"0x{offset:03X}", value)
        if name is not None and registers.BY_NAME[name].access != registers.READ_ONLY:
            self._on_write(name, value)


class Mmio:
    """The register window as the CPU sees it through `pynq.MMIO`, counting accesses."""

    def __init__(self, register_file: RegisterFile) -> None:
        self._registers = register_file
        self.reads = 0
        self.writes = 0

    @property
    def accesses(self) -> int:
        return self.reads + self.writes

    def read(self, offset: int) -> int:
        """The 32-bit register at `offset`; see :meth:`RegisterFile.read`."""
        self.reads += 1
        return self._registers.read(offset)

    def write(self, offset: int, value: int) -> None:
        """Write the 32-bit register at `offset`; see :meth:`RegisterFile.write`."""
        self.writes += 1
        self._registers.write(offset, value)


def _require_in_window(offset: int) -> None:
    if offset % 4:
        raise DeviceError(f"bus fault: register offset 0x{offset:03X} is not a multiple of 4")
    if not 0 <= offset < registers.WINDOW_BYTES:
        raise DeviceError(f"bus fault: 0x{offset:03X} is outside the registers' "
                          f"0x{registers.WINDOW_BYTES:X} bytes")


def _require_32_bits(name: str, value: int) -> None:
    # numpy integers are refused as pynq.MMIO refuses them, so that no driver comes to need them
    if not isinstance(value, int) or not 0 <= value <= 0xFFFFFFFF:
        raise ValueError(f"register {name} holds an int of 32 bits, not {value!r}")
