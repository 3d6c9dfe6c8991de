"""What a step of the raster means for the lanes, told to each block when it needs it."""

from typing import Tuple

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.interfaces import FMAP_READ_LATENCY
from overlays.gateware.pipeline import delay
from overlays.gateware.pixels import Pixels
from overlays.gateware.raster import Centre, Edges, Place, Step
from overlays.gateware.reducer import Reducer
from overlays.gateware.weight_cells import SLOTS, Slot, next_slot


class Schedule(wiring.Component):
    """Follows each step until its pixel is in the middle of the three that the lanes see.

    That is LATENCY cycles after the step; its pixel has then met the weights of its left and its
    right neighbour, too, and the centre is the pixel above it.

    Ports
    -----
    start : pulse, some cycles before the first step
    step : from the raster, any cycle
    pixel : Pixels.LEAD cycles before the row in which its pixel lies
    slot, slot_above : Reducer.LEAD cycles before: where the weights of the step's pass lie, and
        those of the pass that the row above it belongs to
    edges_early : with them
    centre, edges : with the pixel
    place : Reducer.PLACE_LAG cycles later
    """

    start: In(1)
    step: In(Step)
    pixel: Out(Step)
    slot: Out(Slot)
    slot_above: Out(Slot)
    edges_early: Out(Edges)
    centre: Out(Centre)
    edges: Out(Edges)
    place: Out(Place)

    LATENCY = FMAP_READ_LATENCY + 3

    def elaborate(self, platform: object) -> Module:
        m = Module()
        steps, valid = [self.step], [self.step.centre.valid]
        for age in range(1, self.LATENCY + 1):
            # the last one is no part of a slow shift register
            keep = {"keep": 1} if age == self.LATENCY else {}
            later = Signal(Step, name=f"step_{age}", reset_less=True, attrs=keep)
            later_valid = Signal(name=f"valid_{age}")  # all that needs a reset
            m.d.sync += [later.eq(steps[-1]), later_valid.eq(valid[-1])]
            steps.append(later)
            valid.append(later_valid)
        told = self.LATENCY - Reducer.LEAD
        m.d.sync += self.edges_early.eq(steps[told - 1].edges)
        m.d.comb += [
            self.pixel.eq(steps[FMAP_READ_LATENCY - Pixels.LEAD]),
            self.edges.eq(steps[-1].edges),
            self.centre.eq(steps[-1].centre), self.centre.valid.eq(valid[-1]),
        ]
        late, place = delay(m, steps[-1].place.as_value(), Reducer.PLACE_LAG), Signal(Place)
        m.d.comb += [place.eq(late), self.place.eq(place)]
        # `slot` is that of its pass from the first step on, `slot_above` until the last centre.
        ended = valid[told] & steps[told].centre.pass_end
        slot, slot_above = self._slots(m, begin=steps[told - 1].begin, ended=ended)
        m.d.comb += [self.slot.eq(slot), self.slot_above.eq(slot_above)]
        return m

    def _slots(self, m: Module, begin: Signal, ended: Signal) -> Tuple[Signal, Signal]:
        slot, slot_above = Signal(Slot, reset_less=True), Signal(Slot, reset_less=True)
        with m.If(begin):
            m.d.sync += slot.eq(next_slot(slot))
        with m.If(ended):
            m.d.sync += slot_above.eq(next_slot(slot_above))
        with m.If(self.start):
            m.d.sync += [slot.eq(SLOTS - 1), slot_above.eq(0)]
        return slot, slot_above
