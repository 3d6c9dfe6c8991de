"""The core's blocks, by name, and what resets each."""

from amaranth import Module, ResetInserter, Signal

from overlays.gateware.axi_slave import AxiSlave
from overlays.gateware.bin_conv import BinConv
from overlays.gateware.config import QUARTERS, UNIT, WORD, Config
from overlays.gateware.dma_reader import DmaReader
from overlays.gateware.dma_writer import DmaWriter
from overlays.gateware.fc import Fc
from overlays.gateware.fmap_buffer import FmapBuffers
from overlays.gateware.fp_conv import FpConv
from overlays.gateware.layer_queue import LayerQueue
from overlays.gateware.parameter_streams import ParameterStreams
from overlays.gateware.pipeline import register
from overlays.gateware.register_file import RegisterFile
from overlays.gateware.sequencer import Sequencer
from overlays.gateware.stage_log import StageLog
from overlays.gateware.store import Store
from overlays.gateware.sums_memory import SumsMemory
from overlays.gateware.unit_memory import UnitMemory
from overlays.gateware.whole_bytes import WholeBytes
from pynq_bnn import registers as r

PROGRAM_UNITS = r.PROGRAM_STEPS_MAX * WORD // UNIT
PICTURE_UNITS = r.PICTURE_BYTES * 8 // UNIT


class Blocks:
    """All blocks, by name."""

    def __init__(self, config: Config) -> None:
        self.slave, self.file = AxiSlave(r.BASE_ADDRESS), RegisterFile()
        self.sequencer, self.log = Sequencer(config), StageLog()
        self.reader, self.writer = DmaReader(config.ports), DmaWriter()
        self.program = UnitMemory(PROGRAM_UNITS)
        self.pictures = UnitMemory(config.batch * PICTURE_UNITS)
        self.fmaps, self.sums = FmapBuffers(config), SumsMemory(config.batch)
        self.parameters = ParameterStreams(config.parameter_units, config.streams)
        self.fp = FpConv(config.fp_outputs)
        self.conv = BinConv(config.reducers, config.conv_units)
        self.queue = LayerQueue(config.layer_units if config.conv_units == 1 else 0)
        self.fp_bytes = WholeBytes(config.fp_outputs, config.fmap_rows)
        self.conv_bytes = WholeBytes(config.reducers // QUARTERS, config.fmap_rows)
        self.fc, self.store = Fc(config.batch), Store()

    def join(self, m: Module, reset_port: Signal) -> Signal:
        """Make them submodules with their resets; give the signal that clears stages and DMA."""
        for name in ("log", "program", "pictures", "sums"):  # the memories need none
            m.submodules[name] = getattr(self, name)
        reset, clear = Signal(), Signal()
        m.d.sync += [reset.eq(reset_port), clear.eq(self.sequencer.clear | reset)]
        # the reader and the writer are never simply reset: memory would answer whoever asks next
        for name in ("reader", "writer"):
            m.submodules[name] = getattr(self, name)
        # each block's reset has a register of its own: one net to them all would cross the chip
        for name, block, cause in (
                ("slave", self.slave, reset), ("registers", self.file, reset),
                ("sequencer", self.sequencer, reset), ("parameters", self.parameters, clear),
                ("fp_conv", self.fp, clear), ("bin_conv", self.conv, clear),
                ("layer_queue", self.queue, clear), ("fp_bytes", self.fp_bytes, clear),
                ("conv_bytes", self.conv_bytes, clear),
                ("fc", self.fc, clear), ("fmaps", self.fmaps, clear),
                ("store", self.store, clear)):
            own = register(m, cause, f"reset_{name}", keep=True)
            m.submodules[name] = ResetInserter(own)(block)
        return clear
