"""Convolutions run on beside other stages: beside which, and until when."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data

from overlays.gateware.pipeline import register
from overlays.gateware.register_layout import StageRegisters
from overlays.gateware.stage_counter import StageCounter
from pynq_bnn import registers as r

Convolution = data.StructLayout({"loaded": 1, "done": 1, "busy": 1, "waiting": 1})
"""Of a convolution that was begun: it has all its parameters, it has ended; and of this cycle,
lanes are busy, or wait for parameters."""


def beside_fp(kind: Value, s: StageRegisters, fp_to_a: Value) -> Value:
    """Whether a stage may run beside FP_CONV.

    What keeps to B may while it writes A; what moves parameters may always, and is not asked here.
    """
    elsewhere = Mux(kind.matches(r.BIN_CONV, r.BIN_FC), s.target.matches(*r.QUARTERS),
                    kind.matches(r.LAST, r.STORE) & (s.source != r.FMAP_A))
    return fp_to_a & elsewhere


def beside_conv(kind: Value, s: StageRegisters, conv_in_b: Value, conv_a_to_b: Value) -> Value:
    """Whether a stage may run beside BIN_CONV.

    Any LOAD may; FP_CONV into A while it keeps to B; and while it reads A and writes the first
    quarter of B, at most every other cycle, FC stages in the other quarters.
    """
    in_quarters = s.source.matches(*r.QUARTERS) & (
        (kind == r.LAST) | (kind == r.BIN_FC) & s.target.matches(*r.QUARTERS))
    of_sums = (kind == r.STORE) & (s.source == r.SUMS)
    into_a = (kind == r.FP_CONV) & (s.target == r.FMAP_A)
    return ((kind == r.LOAD) | conv_in_b & into_a
            | conv_a_to_b & (in_quarters | of_sums))


class Beside:
    """A convolution that may run on beside other stages: whether it does, and its log entry.

    Attributes
    ----------
    counter : StageCounter
        Its cycles.
    beside : Signal
        It has its parameters and runs on.
    collides : Signal
        The next stage must wait for its end.
    freed : Signal
        In this cycle it has all its parameters, and others may begin.
    in_turn : Signal
        Its entry is written for the first time: two cycles after `freed`.
    again : Signal
        It has ended, and its entry is written with all its cycles, where `index` says if there was
        room for it (`has_room`).
    """

    def __init__(self, name: str, kind: int) -> None:
        self.name, self.kind = name, kind
        self.counter = StageCounter()
        self.beside, self.collides, self.freed, self.again, self.in_turn, self.has_room = (
            Signal(name=f"{name}_{what}") for what in (
                "beside", "collides", "freed", "again", "in_turn", "has_room"))
        self.through = Signal(2, name=f"{name}_through")  # after its end
        self.index = Signal(range(r.LOG_ENTRIES), name=f"{name}_index")

    def follow(self, m: Module, says: data.View, begins: Value, running: Value, stopped: Value,
               taken: Value) -> None:
        """What becomes of it: `running` until `freed`; `again` not while `taken`."""
        counter, through = self.counter, self.through
        m.submodules[self.name] = counter
        m.d.comb += [
            counter.kind.eq(self.kind), counter.begin.eq(begins),
            counter.runs.eq((running | self.beside) & ~says.done & ~through[0]),
            counter.busy.eq(says.busy), counter.waiting.eq(says.waiting),
            self.freed.eq(running & says.loaded),
            self.again.eq(self.beside & through.all() & ~taken),
        ]
        with m.If(self.again):
            m.d.sync += self.beside.eq(0)
        with m.If(self.freed & ~stopped):
            m.d.sync += self.beside.eq(1)
        # the counter settles
        m.d.sync += [
            through.eq(Mux(self.beside & ~self.again, Cat(says.done | through[0], through[0]), 0)),
            self.in_turn.eq(register(m, self.freed, f"{self.name}_freed")),
        ]
