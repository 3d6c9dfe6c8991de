"""A read port fetches no more than it has room for, and loses, doubles and mixes up nothing."""

import pytest
from amaranth import Array, Cat, Signal

from overlays.gateware.axi import HP_OUTSTANDING
from overlays.gateware.dma_read_port import BURST_UNITS, DmaReadPort
from pynq_bnn.registers import BURST_WORDS
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]


class RoomClaims(Claims):
    """Memory answers what it is asked, whenever it likes; one unit's lowest bit is 1, any one's."""

    def state(self):
        port, axi, m, inside = self.dut, self.dut.axi, self.m, self.inside
        self.room = port.fifo_bursts * BURST_UNITS
        owed, beat = Signal(range(2 * HP_OUTSTANDING)), Signal(range(BURST_WORDS))
        stale = self.free() & (owed == 0) & ~axi.arvalid & ~inside("last")
        comes = self.free() & (owed != 0)
        used, mark = Signal(), Signal()
        m.d.comb += [
            port.issue.eq(self.free() & port.can_issue), port.take.eq(self.free() & port.available),
            port.clear.eq(self.free() & port.idle & ~port.issue & ~port.take),
            axi.rvalid.eq(comes | stale), axi.rlast.eq(comes & beat.all() | stale & self.free()),
            mark.eq(comes & ~beat[0] & ~used & self.free()), axi.rdata[0].eq(mark),
        ]
        m.d.sync += [beat.eq(beat + comes), used.eq(used | mark),
                     owed.eq(owed + (axi.arvalid & axi.arready) - (comes & beat.all()))]
        came = self.before(comes)
        units = Signal(range(2 * self.room + 1))
        self.claim("no more bursts are owed than a port may have", owed <= HP_OUTSTANDING)
        self.claim("no more units come than there is room for", units <= self.room)
        self.claim("units are offered while there are some", port.available == (units != 0))
        with m.If(port.clear):
            m.d.sync += units.eq(0)
        with m.Else():
            m.d.sync += units.eq(units + (came & ~beat[0]) - port.take)
        self._rooms(owed, beat, came, units)
        self.order(self.before(mark), came)

    def order(self, mark, came):
        """More to claim, with less room."""

    def _rooms(self, owed, beat, came, units):
        """What makes these three follow from themselves a cycle earlier."""
        port, inside = self.dut, self.inside
        owes, free, last, level = (inside(name) for name in (
            "outstanding", "free", "last", "level"))
        self.lemma("what is asked for or waits to be is counted",
                   owes == owed + port.axi.arvalid + last)
        self.lemma("a burst in parts is owed", (beat == 0) | (owed != 0))
        self.lemma("beats are counted a cycle later", inside("arrived") == came)
        self.lemma("so they are within a burst", (inside("beat") + came)[:len(beat)] == beat)
        self.lemma("the last one ends it", last == (came & (beat == 0)))
        self.lemma("no more than may be", (owes <= HP_OUTSTANDING) & (free <= self.dut.fifo_bursts))
        self.lemma("a burst may be asked for if there is room", ~port.can_issue | (
            (free != 0) & (owes != HP_OUTSTANDING) & ~port.axi.arvalid))
        self.lemma("idle owes nothing", ~port.idle | (owes == 0))
        self.lemma("units are counted", level == units)
        self.lemma("units lie in whole bursts", inside("tail")[:3] == inside("beat")[1:])
        self.lemma("all lie between head and tail",
                   (inside("head") + level - inside("tail"))[:len(inside("tail"))] == 0)
        self.lemma("room is taken by what is owed, or there, or not yet given back",
                   BURST_UNITS * (free + owes + inside("freed")) + level + inside("head")[:3]
                   == self.room + inside("beat")[1:])


class OrderClaims(RoomClaims):
    def order(self, mark, came):
        """The unit with the mark comes out as such, and no other does."""
        port, m, inside = self.dut, self.m, self.inside
        head, tail, level, odd = (inside(name) for name in ("head", "tail", "level", "odd"))
        begun, marked, gone = Signal(), Signal(), Signal()
        ahead = Signal(range(self.room))
        store = Array(Signal(name=f"store{n}") for n in range(self.room))  # as the FIFO's bit 0
        whole, taken = came & odd, port.take & marked & (ahead == 0)
        with m.If(inside("arrived") & ~odd):
            m.d.sync += store[tail].eq(inside("data")[0])
        with m.If(came & ~odd):
            m.d.sync += begun.eq(mark)
        with m.If(port.clear):
            m.d.sync += marked.eq(0)
        with m.Elif(whole & begun):
            m.d.sync += [marked.eq(1), ahead.eq(level - port.take)]
        with m.Elif(marked & port.take):
            m.d.sync += [marked.eq(ahead != 0), ahead.eq(ahead - 1)]
        m.d.sync += gone.eq(taken)
        with m.If(whole):
            m.d.sync += begun.eq(0)
        self.claim("the unit that was marked comes out, in its turn, no other",
                   ~self.before(port.take) | (port.unit[0] == gone))
        self.lemma("it is one of those inside", ~marked | (ahead < level))
        self.lemma("half a unit's mark", ~odd | (store[tail] == begun))
        self.lemma("an even beat begins a unit", odd | ~begun)
        self.lemma("one mark", ~(begun & marked))
        held = []
        for n in range(self.room):
            place = (n - head)[:len(head)]
            held.append((place >= level) | (store[n] == (marked & (place == ahead))))
        self.lemma("nothing else is marked", Cat(held).all())


CASES = ((RoomClaims, 16), (OrderClaims, 2))


@pytest.mark.parametrize("claims, bursts", CASES)
def test_claims(tmp_path, claims, bursts):
    claims(DmaReadPort(bursts)).prove(tmp_path)


OWED = "no more bursts are owed than a port may have"
ROOM = "no more units come than there is room for"
OFFERED = "units are offered while there are some"
ORDER = "the unit that was marked comes out, in its turn, no other"
FAULTS = (  # what stands there, what instead, bursts of room, and the claims that this breaks
    ("& (outstanding != HP_OUTSTANDING)", "", 16, (OWED,)),
    ("~axi.arvalid & (free != 0)", "~axi.arvalid", 2, (ROOM,)),
    ("freed.eq(self.take & head[:3].all())", "freed.eq(self.take & head[:2].all())", 2, (ROOM,)),
    ("m.d.sync += free.eq(self.fifo_bursts)", "m.d.sync += free.eq(self.fifo_bursts + 1)", 2,
     (ROOM,)),
    ("value[0] & ~down", "value[0]", 2, (OFFERED,)),
    ("self.axi.rvalid & (outstanding != 0)", "self.axi.rvalid", 2, (OFFERED,)),
    (", head.eq(tail)]", "]", 2, (ORDER,)),
    ("tail.eq(tail + complete)", "tail.eq(tail + arrived)", 2, (ORDER,)),
    ("Cat(arrived & ~odd, arrived & odd)", "Cat(arrived, arrived & odd)", 2, (ORDER,)),
)


@pytest.mark.parametrize("right, wrong, bursts, claims", FAULTS)
def test_a_fault_is_found(tmp_path, right, wrong, bursts, claims):
    block = faulty(DmaReadPort, right, wrong)(bursts)
    OrderClaims(block).must_break(tmp_path, claims)


def test_every_claim_has_a_fault():
    broken = {claim for *_, claims in FAULTS for claim in claims}
    assert set(OrderClaims(DmaReadPort(2)).names) == broken
