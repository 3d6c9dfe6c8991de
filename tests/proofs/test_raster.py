"""BIN_CONV's raster ends: every step is further on, and comes soon unless weights are missing."""

import pytest
from amaranth import Cat, Mux, Signal

from overlays.gateware.interfaces import MERGE_CYCLES
from overlays.gateware.raster import Raster
from pynq_bnn.registers import MAX_SIDE, PAD_NONE, PAD_ONE, PAD_ZERO
from tests.proofs.prover import Claims, faulty, needs_yosys

pytestmark = [pytest.mark.slow, needs_yosys]

SETTLING = 3
"""Cycles before `start` in which the shape stands already."""
PATIENCE = MERGE_CYCLES + 2


class RasterClaims(Claims):
    """A layer's shape stands from SETTLING cycles before its start to its end."""

    def state(self):
        s, m, inside = self.dut, self.m, self.inside
        shape, active, hold, flush = s.shape, inside("active"), inside("hold"), inside("flush")
        zero, one, none = (shape.padding == each for each in (PAD_ZERO, PAD_ONE, PAD_NONE))
        values = Cat(shape.as_value(), s.passes, s.spread)
        same = values == self.before(values)
        earlier = Signal(SETTLING - 1)  # the same in the cycles before
        m.d.sync += earlier.eq(Cat(same, earlier))
        calm = Cat(same, earlier)
        self.assume(~s.start | calm.all() & ~active)
        self.assume(~active | same)
        for length, most in ((shape.width, MAX_SIDE), (shape.height, MAX_SIDE),
                             (shape.images, 8), (s.passes, 512)):
            self.assume((length != 0) & (length <= most))
        self.assume(zero | one | none)
        self.assume(~none | (shape.width > 2) & (shape.height > 2))

        self.lemma("calm", ~active | earlier.all())
        lengths = {"column": shape.width + one, "row": shape.height + one,
                   "image": shape.images, "pass": s.passes}
        for name, length in lengths.items():
            self._counter(name, length, calm, active)
        self.lemma("padding", ~calm[0] | Cat(inside("zero") == zero, inside("one") == one,
                                             inside("none") == none).all())
        column, row, image, pass_ = (inside(name) for name in lengths)
        self.lemma("the row after the last", ~(active & flush) | inside("row_first")
                   & inside("image_first") & inside("pass_first"))
        self.grows("every step is further on", s.start, active & ~hold, active,
                   flush, pass_, image, row, column)
        self._patient(active, hold, flush)

        ends = Signal(range(513))  # passes whose last centre has been announced
        centre = s.step.centre
        m.d.sync += ends.eq(Mux(s.start, 0, ends + (centre.valid & centre.pass_end)))
        self.claim("at the end each pass has had its last window",
                   ~self.before(active) | active | (ends == s.passes) | ~same)
        self.claim("and nothing after it", ~centre.valid | (ends != s.passes))
        self._announced(ends, Mux(flush, s.passes, pass_), none, zero)

    def _counter(self, name, length, calm, active):
        """Lemmas: it stands within its length, and its flags say where."""
        inside = self.inside
        value, first, last, single, before_last, limit = (
            inside(name + what) for what in (
                "", "_first", "_last", "_single", "_before_last", "_limit"))
        bits = len(value)
        self.lemma(f"{name}, its limit", ~calm[:2].all() | (limit == length - 1))
        self.lemma(f"{name}, prepared", ~calm.all() | (single == (length == 1))
                   & (before_last == (length - 2)[:bits]))
        self.lemma(f"{name}, its place", ~active | (value < length) & (first == (value == 0))
                   & (last == (value == length - 1)))

    def _patient(self, active, hold, flush):
        s, spacing, go, may = self.dut, *(self.inside(name) for name in ("spacing", "go", "may"))
        waits = self.patience(PATIENCE, active & hold & (s.ready | flush))
        self.claim("a step comes, unless weights are missing", waits <= PATIENCE)
        most = MERGE_CYCLES - 2 - s.READY_LATENCY
        self.lemma("spacing", (spacing >= -1) & (spacing <= most))
        self.lemma("so long still", (spacing < 0) | ~hold | (waits + spacing.as_unsigned() <= most))
        self.lemma("a cycle more", ~hold | Mux(flush, may, go) | (waits <= most + 1))
        self.lemma("and another", ~hold | (waits <= most + 2))

    def _announced(self, ends, begun, none, zero):
        """Lemmas: which passes have had their last window, by where the raster stands."""
        inside, active = self.inside, self.inside("active")
        column, last, before_last = (inside(f"column{what}") for what in (
            "", "_last", "_before_last"))
        end = Mux(zero, before_last + 1, before_last)[:len(column)]
        first_row = inside("row_first") & inside("image_first") & (begun != 0)
        pending = first_row & ~none & (column <= end)
        past = none & inside("row_last") & inside("image_last") & (column > end)
        self.lemma("announced", ~active | (ends == begun - pending + past))
        row_first, row_last, image_first = (
            inside(name) for name in ("row_first", "row_last", "image_first"))
        above = ~(row_first & image_first & (begun == 0))
        self.lemma("centres above", ~active | (inside("has_centres") == Mux(
            row_first, ~none & above, zero | (inside("row") > 1))))
        self.lemma("a map's last ones", ~(active & above) | (
            inside("is_end") == Mux(row_first, ~none, none & row_last)))
        self.lemma("of the last map", ~(active & above) | (
            inside("of_last_image") == Mux(row_first, image_first, inside("image_last"))))


def test_claims(tmp_path):
    RasterClaims(Raster()).prove(tmp_path)


FURTHER, COMES = "every step is further on", "a step comes, unless weights are missing"
ALL, NOTHING = "at the end each pass has had its last window", "and nothing after it"
FAULTS = (  # what stands there, what instead, and the claims that this breaks
    ("row_done.eq(moves & column.last)", "row_done.eq(moves & column.last & ~row.last)",
     (FURTHER,)),
    ("spacing.eq(spacing - 1)", "spacing.eq(spacing)", (COMES,)),
    ("flush.eq(pass_.last)", "flush.eq(pass_.first)", (ALL,)),
    ("active.eq(~flush)", "active.eq(1)", (NOTHING,)),
)


@pytest.mark.parametrize("right, wrong, claims", FAULTS)
def test_a_fault_is_found(tmp_path, right, wrong, claims):
    RasterClaims(faulty(Raster, right, wrong)()).must_break(tmp_path, claims)


def test_every_claim_has_a_fault():
    broken = {claim for *_, claims in FAULTS for claim in claims}
    assert set(RasterClaims(Raster()).names) == broken
