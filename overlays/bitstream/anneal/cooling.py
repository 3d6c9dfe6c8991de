"""How a placement is cooled: temperatures, reach and what a connection's delay weighs."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from overlays.bitstream.anneal.annealer import Annealer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cooling:
    """A schedule after VPR's, that begins with a placement worth keeping, so not hot.

    Attributes
    ----------
    hottest, coldest : float
        Temperatures of the beginning and the end, in a net's mean costs.
    factor : float
        From one temperature to the next.
    moves : int
        For each slice of the chip, at each temperature; as with another seed, another number leads
        to another placement.
    rams_share, units_share, drawn_share : float
        Of moves those of block RAMs; of the others those of lanes and flip-flops; and of both those
        that go where nets draw, not just anywhere within reach.
    reach, narrower : float
        How far a move that isn't drawn goes at first, in rows; how much of that it goes from one
        temperature to the next.
    period_ns : float
        The clock that connections are weighed for.
    delay_weight, exponent : float
        A ns on a path without slack weighs as much as so many tiles of wire, and one with slack by
        this power of its share of the period less.
    free_pins, crowding : int, float
        Each tile, two slices with one switch box, costs as much as `crowding` tiles of wire times
        the square of the pins beyond `free_pins` that wires have to reach in it: the router finds
        no ways to the pins of full tiles side by side.
    """

    hottest: float = 0.5
    coldest: float = 0.005
    factor: float = 0.9
    moves: int = 402
    rams_share: float = 0.01
    units_share: float = 0.8
    drawn_share: float = 0.9
    reach: float = 30.0
    narrower: float = 0.88
    period_ns: float = 8.0
    delay_weight: float = 600.0
    exponent: float = 12.0
    free_pins: int = 56
    crowding: float = 0.8


def cool(annealer: Annealer, blocks: int, cooling: Cooling) -> None:
    """Anneal, from the hottest temperature to the coldest."""
    def weigh() -> float:
        return annealer.weigh(cooling.period_ns, cooling.delay_weight, cooling.exponent)

    shares = cooling.rams_share, cooling.units_share, cooling.drawn_share
    moves, reach = cooling.moves * blocks, cooling.reach
    worst, wire, nets = weigh(), annealer.wire(), annealer.nets
    temperature = cooling.hottest * annealer.cost() / nets
    log.info("wire %.0f, worst slack %.2f ns at %g ns", wire, worst, cooling.period_ns)
    while temperature > cooling.coldest * annealer.cost() / nets:
        share = annealer.cool(moves, shares, round(reach), temperature)
        worst, wire = weigh(), annealer.wire()
        log.info("at %.2f within %.0f rows %.0f %% of the moves made: wire %.0f, worst slack "
                 "%.2f ns, fullest tile %d pins", temperature, reach, 100 * share, wire, worst,
                 annealer.tile_pins.max())
        reach = max(reach * cooling.narrower, 1.0)
        temperature *= cooling.factor
