"""The register file: the only place where a register is written down.

The driver's names, the simulated devices, the gateware's decoder, the ``.hwh`` and the docs page
all come from :data:`TABLE`.  ``python -m pynq_bnn.registers`` prints the docs page.  The numbers
that driver and devices must agree on besides (base address, bursts, limits) are here too.

This module imports nothing of the package, so that host-side tools and the gateware can use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, List, Tuple

READ_ONLY, READ_WRITE, WRITE_ONLY = "read-only", "read-write", "write-only"

MAGIC = int.from_bytes(b"BNN1", "little")
VERSION_MAJOR, VERSION_MINOR = 4, 1
"""Interface version: a driver refuses another major, and does without what a minor lacks."""

BASE_ADDRESS = 0x43C0_0000
"""Where the processor sees the registers: where Vivado puts the first IP on M_AXI_GP0."""
WINDOW_BYTES = 0x1000
"""The address space that the registers have, the table's holes included."""
VLNV = "pynq-bnn:accelerator:bnn:1.0"
"""Vendor, library, name, version under which PYNQ finds the driver."""


@dataclass(frozen=True)
class Field:
    """Bits `low` to `low + width - 1` of a register; `values` names what they may hold."""

    name: str
    low: int
    width: int
    meaning: str
    values: Tuple[Tuple[str, int], ...] = ()

    @property
    def mask(self) -> int:
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True)
class Register:
    """One 32-bit register, or `count` of them, `stride` bytes apart."""

    name: str
    offset: int
    access: str
    reset: int
    meaning: str
    fields: Tuple[Field, ...] = ()
    count: int = 1
    stride: int = 4

    def field(self, name: str) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"register {self.name} has no field {name}")


# Stages, as the field STAGE.KIND holds them.
LOAD, FP_CONV, BIN_CONV, BIN_FC, LAST, STORE = 1, 2, 3, 4, 5, 6
STAGES = (("LOAD", LOAD), ("FP_CONV", FP_CONV), ("BIN_CONV", BIN_CONV), ("BIN_FC", BIN_FC),
          ("LAST", LAST), ("STORE", STORE))

# Buffers inside the accelerator.
INPUT, PARAMS, FMAP_A, FMAP_B, SUMS, FMAP_C, FMAP_D = range(7)
BUFFERS = (("INPUT", INPUT), ("PARAMS", PARAMS), ("FMAP_A", FMAP_A), ("FMAP_B", FMAP_B),
           ("SUMS", SUMS), ("FMAP_C", FMAP_C), ("FMAP_D", FMAP_D))
QUARTERS = (FMAP_C, FMAP_D)
"""The third and the fourth quarter of FMAP_B's rows."""

PAD_ZERO, PAD_ONE, PAD_NONE = 0, 1, 2
PADDINGS = (("ZERO", PAD_ZERO), ("ONE", PAD_ONE), ("NONE", PAD_NONE))

ERROR_NONE = 0
ERROR_STAGE, ERROR_BUFFER, ERROR_SHAPE, ERROR_SIZE, ERROR_ADDRESS = 1, 2, 3, 4, 5
ERROR_READ, ERROR_WRITE, ERROR_UNDERRUN, ERROR_LEFTOVER, ERROR_PROGRAM, ERROR_BUSY = (
    6, 7, 8, 9, 10, 11)
ERRORS = (
    ("NONE", ERROR_NONE), ("STAGE", ERROR_STAGE), ("BUFFER", ERROR_BUFFER),
    ("SHAPE", ERROR_SHAPE), ("SIZE", ERROR_SIZE), ("ADDRESS", ERROR_ADDRESS),
    ("READ", ERROR_READ), ("WRITE", ERROR_WRITE), ("UNDERRUN", ERROR_UNDERRUN),
    ("LEFTOVER", ERROR_LEFTOVER), ("PROGRAM", ERROR_PROGRAM), ("BUSY", ERROR_BUSY),
)
ERROR_MEANINGS: Dict[int, str] = {
    ERROR_NONE: "no error",
    ERROR_STAGE: "unknown stage",
    ERROR_BUFFER: "this stage can't read or write that buffer",
    ERROR_SHAPE: "a shape, channel count, padding or batch outside the limits",
    ERROR_SIZE: "more bytes than the buffer holds, or a batch of maps larger than a feature-map "
                "buffer",
    ERROR_ADDRESS: "a DRAM address or byte count that is not a multiple of 128, or a count of 0",
    ERROR_READ: "the memory answered a read with an error (AXI SLVERR or DECERR)",
    ERROR_WRITE: "the memory answered a write with an error (AXI SLVERR or DECERR)",
    ERROR_UNDERRUN: "the parameters ended before the stage had all it needs",
    ERROR_LEFTOVER: "a program started or ended with parameters left over",
    ERROR_PROGRAM: "a program step writes a register that a program may not write, or the program "
                   "has no steps or too many",
    ERROR_BUSY: "a stage or a program was started while one was running",
}

NO_STEP = 0xFFFF
"""ERROR.STEP of what no program step started."""
LOG_ENTRIES = 32
PROGRAM_STEPS_MAX = 2048

# What every device keeps to (docs/contract.md): DMA, and the limits of a stage.
WORD_BYTES = 8
"""What a memory port moves in a cycle; a program step is one word."""
BURST_WORDS = 16
BURST_BYTES = BURST_WORDS * WORD_BYTES
"""All DMA is whole bursts at multiples of their size, the longest that AXI3 has (UG585); so none
crosses 4 KiB."""
STORE_BYTES_MAX = 0xFFFF * BURST_BYTES
"""The most that a STORE moves: it counts its bursts with 16 bits."""
CHANNEL_STEP = 64
"""Channels and FC outputs come in multiples of this."""
MAX_SIDE = 32
MAX_CHANNELS = 512
MAX_FC_INPUTS = 8192
MAX_CLASSES = 64
PICTURE_BYTES = 4 * MAX_SIDE * MAX_SIDE
"""The input buffer's room for each picture of the largest batch: 4 bytes a pixel."""


def _build() -> Tuple[Register, ...]:
    def field(name: str, low: int, width: int, meaning: str,
              values: Tuple[Tuple[str, int], ...] = ()) -> Field:
        return Field(name, low, width, meaning, values)

    ro, rw, wo = READ_ONLY, READ_WRITE, WRITE_ONLY
    return (
        # Identification and capabilities: a device's own values stand in for the resets given here.
        Register("MAGIC", 0x000, ro, MAGIC, "the letters BNN1: read before anything else"),
        Register("VERSION", 0x004, ro, VERSION_MAJOR << 16 | VERSION_MINOR, "interface version", (
            field("MINOR", 0, 16, "grows when something is added"),
            field("MAJOR", 16, 16, "grows when something changes its meaning"))),
        Register("BUILD", 0x008, ro, 0, "first 32 bits of the gateware's source hash; 0: a model"),
        Register("CAP_COMPUTE", 0x00C, ro, 0, "what computes", (
            field("LANES", 0, 20, "binary products in a cycle; 0: not cycle-accurate"),
            field("PORTS", 20, 4, "64-bit memory ports"),
            field("COUNTERS", 24, 1, "1: the cycle counters count, 0: they read 0"))),
        Register("CAP_LIMITS", 0x010, ro, 0, "limits of a convolution and of the last layer", (
            field("SIDE", 0, 8, "largest height or width of a map"),
            field("CLASSES", 8, 8, "most outputs of the last layer"),
            field("CHANNELS", 16, 16, "most channels of a convolution"))),
        Register("CAP_FC", 0x014, ro, 0, "limits of an FC layer, and the batch", (
            field("INPUTS", 0, 16, "most inputs or outputs of an FC layer"),
            field("BATCH", 16, 8, "most images in a run"))),
        Register("CAP_FMAP_ROWS", 0x018, ro, 0, "rows of 512 bits in each feature-map buffer, for "
                 "the whole batch: a multiple of 4, at least 408 (the largest map of 128 Kibit, as "
                 "stored)"),
        Register("CAP_PROGRAM", 0x01C, ro, LOG_ENTRIES << 16 | PROGRAM_STEPS_MAX, "the sequencer", (
            field("STEPS", 0, 16, "most steps of a program"),
            field("LOG", 16, 16, "entries of the stage log"))),
        # Control and status.
        Register("CONTROL", 0x040, wo, 0, "write 1 to a bit to act; reads 0", (
            field("RUN", 0, 1, "replay the program at PROGRAM_ADDRESS"),
            field("RESET", 1, 1, "stop; clear errors, the stage log and unused parameters; stage "
                                 "registers return to their resets"))),
        Register("STATUS", 0x044, ro, 0, "what the accelerator is doing", (
            field("BUSY", 0, 1, "a stage or a program is running"),
            field("DONE", 1, 1, "the last stage or program ended without error"),
            field("ERROR", 2, 1, "stopped by an error: see ERROR; cleared by CONTROL.RESET"),
            field("LOADING", 3, 1, "parameters are still on their way or wait to be used"),
            field("DRAINING", 4, 1, "after a reset: memory still owes bursts that were asked for "
                                    "before it; what is started waits for them"))),
        Register("ERROR", 0x048, ro, 0, "the first error since the last reset", (
            field("CODE", 0, 8, "what went wrong", ERRORS),
            field("STAGE", 8, 8, "STAGE.KIND at fault; 0: none (the sequencer itself)"),
            field("STEP", 16, 16, "program step, from 0, that started the failing stage or was "
                                  f"refused; 0x{NO_STEP:X}: not in a program"))),
        Register("ERROR_ADDRESS", 0x04C, ro, 0, "the DRAM address at fault (READ, WRITE: start of "
                 "the failing burst; ADDRESS: as written), the register offset (PROGRAM), else 0"),
        Register("PROGRAM_ADDRESS", 0x050, rw, 0, "DRAM address of the program, a multiple of 128"),
        Register("PROGRAM_STEPS", 0x054, rw, 0, "steps of the program"),
        Register("STEP", 0x058, ro, 0, "program steps taken since CONTROL.RUN"),
        Register("CYCLES", 0x05C, ro, 0, "clock cycles of the last program, RUN to its end"),
        Register("STAGES", 0x060, ro, 0, "stages ended since CONTROL.RUN or RESET: entries of the "
                 "log in use (a log that is full keeps its first entries)"),
        # One stage: these are what a program writes, and a host in stepped mode.
        Register("STAGE", 0x080, rw, 0, "writing starts a stage with the registers below; in a "
                 "program the write waits for the stage before it", (
                     field("KIND", 0, 4, "which stage", STAGES),)),
        Register("DMA_ADDRESS", 0x084, rw, 0, "LOAD, STORE: DRAM address, a multiple of 128"),
        Register("DMA_BYTES", 0x088, rw, 0, "LOAD, STORE: bytes in all, a multiple of 128"),
        Register("BUFFERS", 0x08C, rw, 0, "what a stage reads and what it writes", (
            field("SOURCE", 0, 4, "compute stages and STORE", BUFFERS),
            field("TARGET", 4, 4, "compute stages and LOAD", BUFFERS))),
        Register("SHAPE", 0x090, rw, 0, "the stage's input map, of FC stages too", (
            field("HEIGHT", 0, 8, "rows"),
            field("WIDTH", 8, 8, "columns"),
            field("CHANNELS", 16, 16, "channels, 3 for a picture"))),
        Register("OUTPUTS", 0x094, rw, 0, "output channels, FC outputs or classes"),
        Register("MODE", 0x098, rw, 0, "how a convolution runs", (
            field("PADDING", 0, 2, "what a tap outside the map adds", PADDINGS),
            field("POOL", 4, 1, "2 x 2 max pool before the threshold"))),
        Register("BATCH", 0x09C, rw, 1, "images that go through a compute stage together"),
        # The stage log, an entry for every stage that ended.
        Register("LOG_KIND", 0x200, ro, 0, "STAGE.KIND", count=LOG_ENTRIES, stride=16),
        Register("LOG_CYCLES", 0x204, ro, 0, "cycles from start to end", count=LOG_ENTRIES,
                 stride=16),
        Register("LOG_BUSY", 0x208, ro, 0, "of these, cycles in which lanes or DMA moved data",
                 count=LOG_ENTRIES, stride=16),
        Register("LOG_WAIT", 0x20C, ro, 0, "of these, cycles that waited for memory",
                 count=LOG_ENTRIES, stride=16),
    )


TABLE: Tuple[Register, ...] = _build()
BY_NAME: Dict[str, Register] = {register.name: register for register in TABLE}
PROGRAMMABLE: Tuple[str, ...] = ("STAGE", "DMA_ADDRESS", "DMA_BYTES", "BUFFERS", "SHAPE",
                                 "OUTPUTS", "MODE", "BATCH")
"""The registers that a program may write."""


def offset(name: str, index: int = 0) -> int:
    """Byte offset of a register, or of entry `index` of a repeated one."""
    register = BY_NAME[name]
    if not 0 <= index < register.count:
        raise IndexError(f"register {name} has entries 0 to {register.count - 1}, not {index}")
    return register.offset + index * register.stride


def encode(name: str, **fields: int) -> int:
    """The register's value with these fields set and the others 0.

    Raises
    ------
    ValueError
        If a value does not fit its field.
    """
    value = 0
    for field_name, number in fields.items():
        field = BY_NAME[name].field(field_name)
        if not 0 <= number < 1 << field.width:
            raise ValueError(f"{name}.{field_name} holds {field.width} bits: {number} won't fit")
        value |= number << field.low
    return value


def decode(name: str, value: int) -> Dict[str, int]:
    """The fields of a register's value, by name."""
    return {field.name: (value & field.mask) >> field.low for field in BY_NAME[name].fields}


def describe(name: str, value: int) -> str:
    """A register's value as a person reads it, e.g. ``STATUS=0x00000005 (BUSY=1 ERROR=1)``."""
    parts: List[str] = []
    for field in BY_NAME[name].fields:
        number = (value & field.mask) >> field.low
        if number:
            names = {held: label for label, held in field.values}
            parts.append(f"{field.name}={names.get(number, number)}")
    return f"{name}=0x{value:08X}" + (f" ({' '.join(parts)})" if parts else "")


def words() -> Iterator[Tuple[int, Register, int]]:
    """Every 32-bit word of the window: (offset, register, index), repeated ones spread out."""
    for register in TABLE:
        for index in range(register.count):
            yield offset(register.name, index), register, index


def markdown() -> str:
    """The docs page (docs/registers.md is exactly this)."""
    lines = [
        "# Registers", "",
        "Made by `python -m pynq_bnn.registers > docs/registers.md` from the one table in",
        "pynq_bnn/registers.py. How stages use them: [contract.md](contract.md).", "",
        "| offset | register | access | reset | meaning |", "|---|---|---|---|---|"]
    for register in TABLE:
        span = f"{register.offset:#05x}"
        name = f"**{register.name}**"
        if register.count > 1:
            span += f" + {register.stride}·i"
            name += f"[{register.count}]"
        lines.append(f"| {span} | {name} | {register.access} | {register.reset:#x} | "
                     f"{register.meaning} |")
        for field in register.fields:
            bits = str(field.low)
            if field.width > 1:
                bits = f"{field.low + field.width - 1}:{field.low}"
            values = ", ".join(f"{number} {label}" for label, number in field.values)
            meaning = field.meaning + (f": {values}" if values else "")
            lines.append(f"| | {field.name} [{bits}] | | | {meaning} |")
    lines += ["", "## Errors", "", "| code | name | meaning |", "|---|---|---|"]
    lines += [f"| {code} | {name} | {ERROR_MEANINGS[code]} |" for name, code in ERRORS]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
