"""The running stage: its copy of what the sequencer began."""

from typing import NamedTuple

from amaranth import Module, Signal, Value
from amaranth.lib import data

from overlays.gateware.blocks import Blocks
from overlays.gateware.core_host import BURST_SHIFT
from overlays.gateware.interfaces import StageShape
from overlays.gateware.pipeline import KEEP, register
from overlays.gateware.register_layout import StageRegisters
from overlays.gateware.sequencer import KIND_BITS
from pynq_bnn import registers as r


class Stage:
    """The running stage: its kind (0: none), source and shape, and a pulse when all are right.

    It may be another one while a convolution still runs.
    """

    def __init__(self) -> None:
        self.kind, self.start = Signal(KIND_BITS), Signal()
        self.source = Signal(StageRegisters.members["source"])
        self.target = Signal(StageRegisters.members["target"])
        self.shape = Signal(StageShape)


class Report(NamedTuple):
    """What some stages say together in this cycle; see Sequencer."""

    ended: Value
    busy: Value
    waiting: Value


def begin(m: Module, blocks: Blocks) -> Stage:
    """Copy what the sequencer begins; a LOAD to PARAMS runs beside the stages and is none here."""
    sequencer, stage = blocks.sequencer, Stage()
    asked = sequencer.registers
    beside = (sequencer.kind == r.LOAD) & (asked.target == r.PARAMS)
    begun = register(m, sequencer.begin & ~beside, "begin", reset_less=False)
    m.d.sync += stage.start.eq(begun)
    with m.If(begun):
        m.d.sync += [
            stage.kind.eq(sequencer.kind), stage.source.eq(asked.source),
            stage.target.eq(asked.target),
            *(stage.shape[name].eq(asked[name]) for name in StageShape.members
              if name in StageRegisters.members),
            stage.shape.images.eq(asked.batch), stage.shape.last.eq(sequencer.kind == r.LAST),
            blocks.store.bursts.eq(asked.dma_bytes >> BURST_SHIFT),
        ]
    return stage


class Convolution:
    """FP_CONV or BIN_CONV, which runs on while the stage is another already."""

    def __init__(self, m: Module, block: object, stage: Stage, kind: int, clear: Signal) -> None:
        name = f"conv{kind}"
        is_its = stage.kind == kind
        # each has a copy of its own of what would have to reach all of them
        self.runs, self.begins = (Signal(name=f"{name}_{what}", **KEEP)
                                  for what in ("runs", "begins"))
        self.shape = Signal(StageShape, name=f"{name}_shape", **KEEP)
        self.source, self.target = (Signal.like(place, name=f"{name}_{what}") for place, what in (
            (stage.source, "source"), (stage.target, "target")))
        m.d.sync += self.begins.eq(stage.start & is_its)
        with m.If(~self.runs):
            m.d.sync += [self.shape.eq(stage.shape), self.source.eq(stage.source),
                         self.target.eq(stage.target), self.runs.eq(stage.start & is_its)]
        with m.If(block.stage.done | clear):
            m.d.sync += self.runs.eq(0)
        m.d.comb += [block.stage.start.eq(self.begins), block.stage.shape.eq(self.shape)]

    def report(self, m: Module, block: object, loaded: Value, says: data.View) -> None:
        """What the sequencer is told, a cycle late."""
        m.d.sync += [says.loaded.eq(loaded & self.runs & ~self.begins),
                     says.done.eq(block.stage.done & self.runs),
                     says.busy.eq(block.stage.busy & self.runs),
                     says.waiting.eq(block.stage.waiting & self.runs)]
