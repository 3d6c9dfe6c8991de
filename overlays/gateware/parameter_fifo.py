"""The parameter FIFO: what DMA has brought ahead of the stage that will need it."""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import UNIT
from overlays.gateware.interfaces import Units
from overlays.gateware.pipeline import KEEP, OWN, moved

SLICE = 32
"""Bits of a unit that share copies of addresses and enables: eight block RAMs in the full
configuration, which lie all over the chip."""
QUEUE = 16
"""Units in the LUTRAM behind the block RAM: more than are on their way from there."""
MARGIN = 4
"""Free places at which `w.ready` goes, because it is a cycle late and reads are two."""
LATENCY = 5
"""Cycles from a unit taken at `w`, with nothing before it, to `r.valid`."""


class ParameterFifo(wiring.Component):
    """Block RAM, and in front of its slow outputs a short queue in LUTRAM.

    A unit a cycle in and out.  `w.ready` and `r.valid` are registers, `r.payload` comes from LUTRAM
    whose address is one.  It holds at least `depth` units.

    Cost with 8,192 units: 200 LUT, 90 LUT as RAM, 480 FF, 32 BRAM36.

    Parameters
    ----------
    depth : int
        A power of two, 32 or more.

    Attributes
    ----------
    w, r : In(Units), Out(Units)
    empty : Out(1)
        No unit is in it, from the second cycle after the last one was taken at `r`.
    """

    w: In(Units)
    r: Out(Units)
    empty: Out(1)

    def __init__(self, depth: int) -> None:
        if depth < 32 or depth & (depth - 1):
            raise ValueError(f"a FIFO of {depth} units: take a power of two, 32 or more")
        self.depth = depth
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        accept, taken, gone, fetch = Signal(), Signal(), Signal(), Signal()
        inside = Signal(range(2 * self.depth))  # in all
        stored = Signal(range(self.depth + 1))  # of these, in the block RAM and not yet fetched
        free = Signal(range(QUEUE + 1), init=QUEUE)
        tail, head = Signal(range(self.depth)), Signal(range(self.depth))
        m.d.comb += [
            accept.eq(self.w.valid & self.w.ready),
            taken.eq(self.r.valid & self.r.ready),
            fetch.eq((stored != 0) & (free != 0)),
            self.empty.eq(inside == 0),
        ]
        m.d.sync += [
            self.w.ready.eq(stored < self.depth - MARGIN),
            gone.eq(taken),  # `r.ready` crosses the chip: what can wait a cycle does
            inside.eq(inside + accept - gone),
            stored.eq(stored + accept - fetch),
            free.eq(free + gone - fetch),
            tail.eq(tail + accept), head.eq(head + fetch),
        ]
        arrived = fetch  # three cycles later: the address, the block RAM, the register behind it
        for name in ("addressed", "read", "arrived"):
            later = Signal(name=name)
            m.d.sync += later.eq(arrived)
            arrived = later
        waiting = Signal(range(QUEUE + 1))  # in the queue
        more, same = waiting + arrived, waiting + arrived - 1
        # `taken` comes last, so it chooses between two sums instead of being added
        m.d.sync += [waiting.eq(Mux(taken, same, more)),
                     self.r.valid.eq(arrived | Mux(taken, waiting > 1, waiting != 0))]
        for number in range(UNIT // SLICE):
            self._slice(m, number, accept, tail, head, arrived, taken)
        return m

    def _slice(self, m: Module, number: int, accept: Signal, tail: Signal, head: Signal,
               arrived: Signal, taken: Signal) -> None:
        """32 bits of the unit, with registers of their own for all that controls them."""
        here = slice(number * SLICE, (number + 1) * SLICE)
        m.submodules[f"store{number}"] = store = memory.Memory(
            shape=SLICE, depth=self.depth, init=[], attrs={"ram_style": "block"})
        m.submodules[f"queue{number}"] = queue = memory.Memory(
            shape=SLICE, depth=QUEUE, init=[], attrs={"ram_style": "distributed"})
        write, read = store.write_port(), store.read_port()
        into, outof = queue.write_port(), queue.read_port(domain="comb")
        payload, data = (Signal(SLICE, name=f"{name}{number}", reset_less=True)
                         for name in ("payload", "data"))
        enable = Signal(name=f"enable{number}", **KEEP)
        write_place, read_place = (Signal.like(tail, name=f"{name}{number}", **OWN)
                                   for name in ("write_place", "read_place"))
        first, last = (Signal(range(QUEUE), name=f"{name}{number}", **KEEP)
                       for name in ("first", "last"))
        m.d.sync += [
            payload.eq(self.w.payload[here]), enable.eq(accept), write_place.eq(tail),
            read_place.eq(head), data.eq(read.data),
            last.eq(last + arrived), first.eq(moved(first, taken)),
        ]
        m.d.comb += [
            write.addr.eq(write_place), write.data.eq(payload), write.en.eq(enable),
            read.addr.eq(read_place),
            into.addr.eq(last), into.data.eq(data), into.en.eq(arrived),
            outof.addr.eq(first), self.r.payload[here].eq(outof.data),
        ]
