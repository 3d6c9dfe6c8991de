"""The parameter FIFO: what DMA has brought ahead of the stage that will need it."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import UNIT
from overlays.gateware.interfaces import Pairs, Units
from overlays.gateware.pipeline import KEEP, moved

SLICE = 32
"""Bits of a unit that share copies of addresses and enables: eight halves of block RAMs in the full
configuration, which lie all over the chip."""
PARTS = {4096: 4, 1024: 16}
"""Bits of half a block RAM with so many places.  Wider, synthesis would use parity bits, and
nextpnr-xilinx loses those of a ninth bit (openXC7 issue 94)."""
QUEUE = 16
"""Pairs in the LUTRAM behind the block RAM: more than are on their way from there."""
MARGIN = 6
"""Free places at which `w.ready` goes, because it and what it goes by are late, and reads are."""
LATENCY = 8
"""Cycles from a unit taken at `w`, with nothing before it and another behind it, to `r.valid`."""


class ParameterFifo(wiring.Component):
    """Block RAM, and in front of its slow outputs a short queue in LUTRAM; both of pairs of units.

    A unit a cycle in; one or two out.  `w.ready` and `r.valid` are registers, `pairs.payload` comes
    from LUTRAM whose address is one.  It holds at least `depth` units.

    Cost with 8,192 units: 300 LUT, 190 LUT as RAM, 840 FF, 32 BRAM36.

    Parameters
    ----------
    depth : int
        A power of two, 64 or more.

    Attributes
    ----------
    w : In(Units)
        What comes in; in the end an even number of units, or the last one stays.
    r, pairs : Out(Units), Out(Pairs)
        The oldest unit, and the two oldest.  One of the two is taken from, and `pairs` only after
        an even number of units.
    empty : Out(1)
        No pair is in it, from the second cycle after the last one was taken; after one has come it
        is right from the third cycle on, when the reader's `busy` has not fallen yet.
    """

    w: In(Units)
    r: Out(Units)
    pairs: Out(Pairs)
    empty: Out(1)

    def __init__(self, depth: int) -> None:
        if depth < 64 or depth & (depth - 1):
            raise ValueError(f"a FIFO of {depth} units: take a power of two, 64 or more")
        self.depth = depth // 2
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        accept, taken, gone, fetch = Signal(), Signal(), Signal(), Signal()
        accepted, counted = Signal(), Signal()  # later, as what says that a unit comes is far away
        inside = Signal(range(2 * self.depth))  # in all
        stored = Signal(range(self.depth + 1))  # of these, in the block RAM and not yet fetched
        free = Signal(range(QUEUE + 1), init=QUEUE)
        any_stored, any_free = Signal(), Signal(init=1)  # they aren't 0
        second, upper, step = Signal(), Signal(), Signal()  # the next unit in, and out, is a second
        m.d.comb += [
            accept.eq(self.w.valid & self.w.ready),
            step.eq(self.r.valid & self.r.ready),
            taken.eq(self.r.valid & (self.pairs.ready | self.r.ready & upper)),
            fetch.eq(any_stored & any_free),
            self.empty.eq(inside == 0), self.pairs.valid.eq(self.r.valid),
        ]
        m.d.sync += [
            self.w.ready.eq(stored < self.depth - MARGIN),
            second.eq(second ^ accept), upper.eq(upper ^ step),
            accepted.eq(accept & second), counted.eq(accepted),
            gone.eq(taken),  # `ready` crosses the chip: what can wait a cycle does
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
            here = slice(number * SLICE, (number + 1) * SLICE)
            at_second, from_upper = (Signal(name=f"{name}{number}", **KEEP)
                                     for name in ("at_second", "from_upper"))
            m.d.sync += [at_second.eq(at_second ^ accept), from_upper.eq(from_upper ^ step)]
            first, last = Signal(SLICE, reset_less=True), Signal(SLICE, reset_less=True)
            with m.If(at_second):
                m.d.sync += last.eq(self.w.payload[here])
            with m.Else():
                m.d.sync += first.eq(self.w.payload[here])
            complete = accept & at_second
            lower = self._slice(m, f"lower{number}", first, complete, fetch, arrived, taken)
            higher = self._slice(m, f"upper{number}", last, complete, fetch, arrived, taken)
            m.d.comb += [self.pairs.payload[:UNIT][here].eq(lower),
                         self.pairs.payload[UNIT:][here].eq(higher),
                         self.r.payload[here].eq(Mux(from_upper, higher, lower))]
        return m

    def _slice(self, m: Module, name: str, payload: Signal, complete: Value, fetch: Signal,
               arrived: Signal, taken: Signal) -> Value:
        """32 bits of one unit of the pairs, with registers of their own for all that controls them.

        `payload` follows `complete` by a cycle.
        """
        part = PARTS[min(places for places in PARTS if places >= self.depth)]
        stores = [memory.Memory(shape=part, depth=self.depth, init=[],
                                attrs={"ram_style": "block"}) for _ in range(SLICE // part)]
        m.submodules[f"queue_{name}"] = queue = memory.Memory(
            shape=SLICE, depth=QUEUE, init=[], attrs={"ram_style": "distributed"})
        into, outof = queue.write_port(), queue.read_port(domain="comb")
        data = Signal(SLICE, name=f"data_{name}", reset_less=True)
        enable, fetched = (Signal(name=f"{kind}_{name}", **KEEP) for kind in ("enable", "fetched"))
        write_place, read_place = (Signal(range(self.depth), name=f"{kind}_{name}", **KEEP)
                                   for kind in ("write_place", "read_place"))
        first, last = (Signal(range(QUEUE), name=f"{kind}_{name}", **KEEP)
                       for kind in ("first", "last"))
        m.d.sync += [
            enable.eq(complete), fetched.eq(fetch),
            write_place.eq(write_place + enable), read_place.eq(read_place + fetched),
            last.eq(last + arrived), first.eq(moved(first, taken)),
        ]
        for number, store in enumerate(stores):
            m.submodules[f"store_{name}_{number}"] = store
            write, read = store.write_port(), store.read_port()
            m.d.comb += [write.addr.eq(write_place), write.en.eq(enable),
                         write.data.eq(payload.word_select(number, part)),
                         read.addr.eq(read_place)]
            m.d.sync += data.word_select(number, part).eq(read.data)
        m.d.comb += [
            into.addr.eq(last), into.data.eq(data), into.en.eq(arrived),
            outof.addr.eq(first),
        ]
        return outof.data
