"""The accelerator's core: every block in its place (docs/gateware.md has the picture)."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware import core_host, core_maps, core_stage, core_stages
from overlays.gateware.axi import GP, HP_READ, HP_WRITE
from overlays.gateware.blocks import Blocks
from overlays.gateware.config import Config


class Core(wiring.Component):
    """The whole design between the processor's ports.

    Attributes
    ----------
    gp : In(GP)
        Registers.
    hp0_read, hp1_read, ..., hp0_write : Out(HP_READ) for each port, Out(HP_WRITE)
        Memory.
    busy : Out(1)
        STATUS.BUSY, for a simulator to watch.
    reset : In(1)
        For at least a cycle: everything is as new, but for what lies in memories and for bursts on
        their way, which are waited for.  The clock domain itself needs no reset.
    """

    def __init__(self, config: Config, build: int = 0) -> None:
        self.config, self.build = config, build
        super().__init__({
            "gp": In(GP), "hp0_write": Out(HP_WRITE), "busy": Out(1), "reset": In(1),
            **{f"hp{n}_read": Out(HP_READ) for n in range(config.ports)},
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        blocks = Blocks(self.config)
        clear = blocks.join(m, self.reset)
        self._ports(m, blocks)
        core_host.identify(m, blocks.file, self.config, self.build)
        core_host.write(m, blocks)
        core_host.read(m, blocks)
        pictures_loaded = core_host.load(m, blocks, clear)
        stage = core_stage.begin(m, blocks)
        reports = [core_stages.compute(m, blocks, stage, clear),
                   core_stages.store(m, blocks, stage, clear)]
        core_maps.others(m, blocks, stage)
        core_stages.report(m, blocks, stage, pictures_loaded, reports)
        return m

    def _ports(self, m: Module, blocks: Blocks) -> None:
        wiring.connect(m, wiring.flipped(self.gp), blocks.slave.axi)
        wiring.connect(m, blocks.slave.bus, blocks.file.bus)
        wiring.connect(m, blocks.writer.axi, wiring.flipped(self.hp0_write))
        for n in range(self.config.ports):
            wiring.connect(m, getattr(blocks.reader, f"axi{n}"),
                           wiring.flipped(getattr(self, f"hp{n}_read")))
        m.d.comb += self.busy.eq(blocks.sequencer.busy)
