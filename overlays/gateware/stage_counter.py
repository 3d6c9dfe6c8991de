"""What the log says of a stage, counted while it runs."""

from amaranth import Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.pipeline import register
from overlays.gateware.register_layout import width

LogEntry = data.StructLayout({"kind": 32, "cycles": 32, "busy": 32, "wait": 32})


class StageCounter(wiring.Component):
    """Counts the cycles of a stage, those in which it is busy and those in which it waits.

    Cost: 20 LUT, 106 FF, and the counters' carry chains.

    Attributes
    ----------
    begin, kind : In(1), In(4)
        A stage of that kind begins: in the cycle after the next everything is 0; `kind` stands
        until then.
    runs, busy, waiting : In(1)
        Of this cycle; without `runs` nothing counts.
    entry : Out(LogEntry)
        Has a cycle LATENCY cycles later.
    """

    LATENCY = 3

    begin: In(1)
    kind: In(width("STAGE", "KIND"))
    runs: In(1)
    busy: In(1)
    waiting: In(1)
    entry: Out(LogEntry)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        entry = self.entry
        # what begins a stage is decided in the same cycle, and no cycle counts before the next
        begin = register(m, self.begin, "begin", keep=True)
        for counter, counted in ((entry.cycles, 1), (entry.busy, self.busy),
                                 (entry.wait, self.waiting)):
            up = Signal()
            m.d.sync += up.eq(self.runs & counted)
            count(m, counter, up)
        with m.If(begin):
            m.d.sync += [entry.kind.eq(self.kind), entry.cycles.eq(0), entry.busy.eq(0),
                         entry.wait.eq(0)]
        return m


def count(m: Module, counter: object, up: object) -> None:
    """Count up in two halves: the carry between them takes a cycle, not a chain of 32 bits."""
    counter = Value.cast(counter)
    half = len(counter) // 2
    carry = Signal()
    m.d.sync += [carry.eq(up & counter[:half].all()), counter[:half].eq(counter[:half] + up),
                 counter[half:].eq(counter[half:] + carry)]
