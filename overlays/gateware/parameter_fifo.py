"""The parameter FIFO: what DMA has brought ahead of the stage that will need it."""

from amaranth import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import UNIT
from overlays.gateware.interfaces import Units
from overlays.gateware.pipeline import KEEP, moved

SLICE = 32
"""Bits of a unit that share copies of addresses and enables: eight block RAMs in the full
configuration, which lie all over the chip."""
QUEUE = 16
"""Units in the LUTRAM behind the block RAM: more than are on their way from there."""
MARGIN = 6
"""Free places at which `w.ready` goes, because it and what it goes by are late, and reads are."""
LATENCY = 7
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
        No unit is in it, from the second cycle after the last one was taken at `r`; after one has
        come it is right from the third cycle on, when the reader's `busy` has not fallen yet.
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
        accepted, counted = Signal(), Signal()  # later, as what says that a unit comes is far away
        inside = Signal(range(2 * self.depth))  # in all
        stored = Signal(range(self.depth + 1))  # of these, in the block RAM and not yet fetched
        free = Signal(range(QUEUE + 1), init=QUEUE)
        any_stored, any_free = Signal(), Signal(init=1)  # they aren't 0
        m.d.comb += [
            accept.eq(self.w.valid & self.w.ready),
            taken.eq(self.r.valid & self.r.ready),
            fetch.eq(any_stored & any_free),
            self.empty.eq(inside == 0),
        ]
        m.d.sync += [
            self.w.ready.eq(stored < self.depth - MARGIN),
            accepted.eq(accept), counted.eq(accepted),
            gone.eq(taken),  # `r.ready` crosses the chip: what can wait a cycle does
            inside.eq(inside + counted - gone),
            stored.eq(stored + counted - fetch),
            any_stored.eq(counted | Mux(fetch, stored > 1, stored != 0)),
            free.eq(free + gone - fetch),
            any_free.eq(gone | Mux(fetch, free > 1, free != 0)),
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
            self._slice(m, number, accept, fetch, arrived, taken)
        return m

    def _slice(self, m: Module, number: int, accept: Signal, fetch: Signal, arrived: Signal,
               taken: Signal) -> None:
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
        enable, fetched = (Signal(name=f"{name}{number}", **KEEP) for name in ("enable", "fetched"))
        write_place, read_place = (Signal(range(self.depth), name=f"{name}{number}", **KEEP)
                                   for name in ("write_place", "read_place"))
        first, last = (Signal(range(QUEUE), name=f"{name}{number}", **KEEP)
                       for name in ("first", "last"))
        m.d.sync += [
            payload.eq(self.w.payload[here]), enable.eq(accept), fetched.eq(fetch),
            write_place.eq(write_place + enable), read_place.eq(read_place + fetched),
            data.eq(read.data),
            last.eq(last + arrived), first.eq(moved(first, taken)),
        ]
        m.d.comb += [
            write.addr.eq(write_place), write.data.eq(payload), write.en.eq(enable),
            read.addr.eq(read_place),
            into.addr.eq(last), into.data.eq(data), into.en.eq(arrived),
            outof.addr.eq(first), self.r.payload[here].eq(outof.data),
        ]
