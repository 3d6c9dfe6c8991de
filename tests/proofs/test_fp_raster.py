"""FP_CONV's raster ends: every column is further on, and comes soon unless weights are missing."""

import pytest
from amaranth import Cat, Mux, Signal

from overlays.gateware.fp_raster import FpRaster
from overlays.gateware.interfaces import MERGE_CYCLES
from pynq_bnn.registers import PAD_NONE
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]


class RasterClaims(Claims):
    """A layer's shape stands from its start to its end; its weights come when they like."""

    def state(self):
        s, m, inside = self.dut, self.m, self.inside
        running, begins, column = inside("running"), inside("begins"), inside("column")
        shape, less = s.shape, (s.shape.padding == PAD_NONE)
        begun = self.before(s.start)
        busy = s.start | begun | running
        values = Cat(shape.as_value(), s.passes)
        before = self.before(values)
        self.assume(~self.before(busy) | (values == before))
        self.assume(~s.start | ~(begun | running))
        for length, most in ((shape.width, 32), (shape.height, 32), (shape.images, 8)):
            self.assume((length != 0) & (length <= most))
        self.assume(~less | (shape.width > 2) & (shape.height > 2))
        self.assume((s.passes != 0) & (s.passes <= 128))

        self._places(begun, running, begins, less)
        number, x, y = s.number, inside("x"), inside("y")
        in_last = inside("was_final") & ~begins
        pass_ = Mux(begins, number + 1, Mux(in_last, s.passes, number))
        places = ~inside("ahead"), pass_, inside("image"), y, x
        self.grows("every column is further on", begun, column, running, *places)
        waits = self.patience(MERGE_CYCLES, running & ~column & (s.loaded | ~begins))
        self.claim("a column comes, unless weights are missing", waits <= MERGE_CYCLES)
        self._apart(waits)
        said = Signal()
        says = s.centre.sum & s.centre.layer_end
        m.d.sync += said.eq((said | says) & ~s.start)
        ends = self.before(running) & ~running & ~begun
        self.claim("at the end the last sum has been announced", ~ends | said | says)
        self.claim("and nothing after it", ~(said & s.centre.sum))
        through = in_last & inside("image_last") & ~inside("ahead") & (
            Cat(x, y) > Cat((shape.width - 1 - less)[:5], (shape.height - 1 - less)[:5]))
        self.lemma("said when it is through", ~running | (through == (said | says)))
        self.lemma("at rest when it begins", ~(begun & running))
        self.lemma("not yet", ~begun | ~said & ~says)
        self.lemma("not beyond the end", ~(running & in_last & inside("image_last"))
                   | (y < shape.height - less))

    def _places(self, begun, running, begins, less):
        """Lemmas: each counter stands within its length, and its flags say where."""
        shape, number, passes, inside = (
            self.dut.shape, self.dut.number, self.dut.passes, self.inside)
        for name, length in (("x", shape.width), ("y", shape.height), ("image", shape.images)):
            value = inside(name)
            first, last, end, single, before_last, before_end = (
                inside(f"{name}_{what}") for what in (
                    "first", "last", "end", "single", "before_last", "before_end"))
            bits = len(value)
            self.lemma(f"{name}, prepared", ~(begun | running)
                       | (single == (length == 1)) & (before_last == (length - 2)[:bits])
                       & (before_end == (length - 2 - less)[:bits]))
            self.lemma(f"{name}, its place", ~running | (value < length) & (first == (value == 0))
                       & (last == (value == length - 1)))
            if name != "image":
                self.lemma(f"{name}, its end", ~running | (end == (value == length - 1 - less)))
        ahead, was_final = inside("ahead"), inside("was_final")
        self.lemma("prepared", ~(begun | running) | (inside("edges") == less)
                   & (inside("last_number") == (passes - 1)[:7]))
        self.lemma("ahead", ~(running & ahead) | ~begins & (number == 0) & inside("y_first")
                   & inside("image_first"))
        self.lemma("between passes", ~(running & begins) | (number < passes) & inside("x_first")
                   & inside("y_first") & inside("image_first"))
        self.lemma("in a pass", ~running | begins | ahead
                   | (was_final == (number == passes[:7])) & (was_final | (number != 0)
                                                             & (number < passes)))
        self.lemma("which is the last", ~(running & begins & inside("apart"))
                   | (inside("final") == (number == passes - 1)))

    def _apart(self, waits):
        """Lemmas: a pass may begin MERGE_CYCLES after the one before."""
        gap, apart = self.inside("gap"), self.inside("apart")
        self.lemma("no gap any more", ~apart | (gap == 0))
        self.lemma("so long still", (gap == 0) | (waits + gap < MERGE_CYCLES))
        self.lemma("no longer", apart | (waits < MERGE_CYCLES))


def test_claims(tmp_path):
    RasterClaims(FpRaster()).prove(tmp_path)


FURTHER, COMES = "every column is further on", "a column comes, unless weights are missing"
SAID, NOTHING = "at the end the last sum has been announced", "and nothing after it"
FAULTS = (  # what stands there, what instead, and the claims that this breaks
    ("with m.If(x.last & ~ahead):", "with m.If(x.last & ~ahead & ~y.last):", (FURTHER,)),
    ("with m.If(gap != 0):", "with m.If(gap[1:] != 0):", (COMES,)),
    ("last_pass & image.last & y.end", "last_pass & image.last & y.first", (SAID,)),
    ("last_pass & image.last & y.end", "last_pass & image.last & y.end & ~y.first", (NOTHING,)),
)


@pytest.mark.parametrize("right, wrong, claims", FAULTS)
def test_a_fault_is_found(tmp_path, right, wrong, claims):
    RasterClaims(faulty(FpRaster, right, wrong)()).must_break(tmp_path, claims)


def test_every_claim_has_a_fault():
    broken = {claim for *_, claims in FAULTS for claim in claims}
    assert set(RasterClaims(FpRaster()).names) == broken
