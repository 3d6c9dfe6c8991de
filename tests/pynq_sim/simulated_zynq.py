"""A Zynq-7000 board as the real PYNQ sees one, around the model's registers and memory.

PYNQ's own code runs unchanged above this: parsers, Overlay, Clocks, MMIO, RegisterMap, allocate.
What it would find on a board is here: the fabric at its bus address, the clock registers of the
processing system, and contiguous memory behind a cache that is not coherent.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import numpy as np
from pynq.buffer import PynqBuffer
from pynq.pl_server.device import Device
from pynq.pl_server.embedded_device import bit2bin
from pynqmetadata.frontends import Metadata

from overlays.boards import HP_PORTS, Board
from pynq_bnn.devices.model import ModelDevice
from pynq_bnn.devices.simulated.dram import Dram
from pynq_bnn.registers import BASE_ADDRESS, WINDOW_BYTES

try:
    from pynqmetadata.views.runtime import RuntimeMetadataParser  # PYNQ 4
except ImportError:
    from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser

SLCR, SLCR_BYTES = 0xF800_0000, 0x1000
AFI, AFI_BYTES = 0xF800_8000, 0x4000
AFI_32_BIT = {port * 0x1000 + offset: 0xF01 for port in range(4) for offset in (0x00, 0x14)}
IO_PLL_CTRL, FPGA0_CLK_CTRL = 0x108, 0x170
CLK_CTRL_AT_RESET = 0x0010_1800


class _Block(NamedTuple):
    """A PynqBuffer's ``bo``: the CPU's copy and where the memory's is."""

    cpu: np.ndarray
    address: int


class _Memory:
    """PYNQ's memory object over a Dram."""

    def __init__(self, device: Device, dram: Dram) -> None:
        self._device, self._dram = device, dram

    def allocate(self, shape: Any, dtype: Any, **_: Any) -> PynqBuffer:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if size > self._dram.largest_free_block:
            raise RuntimeError("BO allocation failed: bad_alloc")  # as PYNQ over XRT
        block = _Block(np.zeros(size, np.uint8), self._dram.allocate(size))
        buffer = PynqBuffer(shape, np.dtype(dtype), buffer=block.cpu.data, device=self._device,
                            bo=block, device_address=block.address, coherent=False)
        # freebuffer() hands the pointer to return_pointer only if all three are there
        buffer.memory, buffer.pointer, buffer.return_to = self, block, self
        buffer.freed = True  # there is no mapping of the kernel's to undo
        return buffer

    def return_pointer(self, block: _Block) -> None:
        self._dram.free(block.address)


class SimulatedZynq(Device):
    """A PYNQ device for `board` with `model` in its fabric, once a bitstream was downloaded."""

    arch = "armv7l"

    def __init__(self, board: Board, model: ModelDevice) -> None:
        super().__init__("simulated_zynq")
        self.name = board.name
        self.capabilities = {"REGISTER_RW": True}
        self.downloads: List[str] = []
        self.busy_at_download: List[int] = []
        self.model = model
        self._board = board
        self._slcr: Dict[int, int] = {
            0x100: 40 << 12, 0x104: 32 << 12, IO_PLL_CTRL: board.io_pll_feedback << 12,
            0x120: 0x1F00_0200, **{FPGA0_CLK_CTRL + 0x10 * n: CLK_CTRL_AT_RESET for n in range(4)}}
        self.afi: Dict[int, int] = dict(AFI_32_BIT)  # as some boot images leave them
        self.stuck_narrow = False
        whole = model.dram.read_words
        used = HP_PORTS[:model.registers.fields("CAP_COMPUTE")["PORTS"]]

        def read_words(address: int, count: int) -> np.ndarray:
            words = whole(address, count)
            narrow = any(self.afi[port * 0x1000] & 1 for port in used)
            return words & np.uint64(0xFFFF_FFFF) if narrow else words

        model.dram.read_words = read_words

    @property
    def real_fclk0_mhz(self) -> float:
        """What an oscilloscope would show: IO PLL over both divisors."""
        control = self._slcr[FPGA0_CLK_CTRL]
        pll = self._board.ps_clk_mhz * (self._slcr[IO_PLL_CTRL] >> 12)
        return pll / ((control >> 8 & 0x3F) * (control >> 20 & 0x3F))

    # The bus.

    def read_registers(self, address: int, length: int) -> bytes:
        words = [self._read(address + n) for n in range(0, length, 4)]
        return struct.pack(f"<{len(words)}I", *words)

    def write_registers(self, address: int, data: Any) -> None:
        data = bytes(data)
        for n, value in enumerate(struct.unpack(f"<{len(data) // 4}I", data)):
            self._write(address + 4 * n, value)

    def _read(self, address: int) -> int:
        if SLCR <= address < SLCR + SLCR_BYTES:
            return self._slcr[address - SLCR]
        if AFI <= address < AFI + AFI_BYTES:
            return self.afi.get(address - AFI, 0)
        return self._fabric().read(address - BASE_ADDRESS)

    def _write(self, address: int, value: int) -> None:
        if SLCR <= address < SLCR + SLCR_BYTES:
            self._slcr[address - SLCR] = value
        elif AFI <= address < AFI + AFI_BYTES:
            self.afi[address - AFI] = value | self.stuck_narrow
        else:
            assert BASE_ADDRESS <= address < BASE_ADDRESS + WINDOW_BYTES
            self._fabric().write(address - BASE_ADDRESS, value)

    def _fabric(self) -> Any:
        assert self.downloads, "an access to an empty fabric hangs the chip"
        return self.model.mmio

    # Memory.

    @property
    def default_memory(self) -> _Memory:
        if not self.downloads:
            raise RuntimeError("Overlay is not downloaded")
        return self.get_memory(None)

    def get_memory(self, description: Any) -> _Memory:
        return _Memory(self, self.model.dram)

    def _both_copies(self, block: _Block, offset: int, count: int) -> Any:
        start = block.address - self.model.dram.base + offset
        return block.cpu[offset:offset + count], self.model.dram.memory[start:start + count]

    def flush(self, bo: _Block, offset: int, _: int, nbytes: int) -> None:
        cpu, memory = self._both_copies(bo, offset, nbytes)
        memory[:] = cpu

    def invalidate(self, bo: _Block, offset: int, _: int, nbytes: int) -> None:
        cpu, memory = self._both_copies(bo, offset, nbytes)
        cpu[:] = memory

    # Bitstreams.

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        parser = RuntimeMetadataParser(Metadata(input=Path(bitfile_name).with_suffix(".hwh")))
        parser.mem_dict["PSDDR"] = {
            "raw_type": None, "used": 1, "base_address": 0, "size": self.model.dram.size_bytes,
            "type": "DDR3", "streaming": False, "idx": 0, "tag": "PSDDR"}  # XRT adds it on a board
        return parser

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        pass

    def download(self, bitstream: Any, parser: Any = None) -> None:
        bit2bin(Path(bitstream.bitfile_name).read_bytes())  # what PYNQ itself refuses
        self.busy_at_download.append(self.model.registers.fields("STATUS")["BUSY"])
        self.downloads.append(bitstream.bitfile_name)
        self.post_download(bitstream, parser, self.name)
