"""Static timing analysis of what the stock router writes.

nextpnr-xilinx times wires by a rough sum and flip-flops by placeholders, and knows nothing of block
RAM, LUT RAM, shift registers, the PS7, input pins of LUTs, clock skew or hold.  It can write two
things to do better with.  Its ``--sdf`` has one figure for each sink, least and greatest alike, and
for every LUT input that the router swapped (most) not the route's delay but the placer's guess.
Its ``--write`` has the route of every net, switch by switch.  So the routes are read here, and
all on them is timed with prjxray-db's figures at two corners, which is what judging hold takes;
the router need not be changed.  ``--as-router`` arrives at the router's own figure, from the same
routes.
"""

from __future__ import annotations

from overlays.bitstream.timing.analysis import analyse
from overlays.bitstream.timing.delay import TimingError
from overlays.bitstream.timing.design import graph_of_routed
from overlays.bitstream.timing.report import Report

__all__ = ["Report", "TimingError", "analyse", "graph_of_routed"]
