"""Small designs for the tests of the timing analysis, with figures to reckon by hand."""

from __future__ import annotations

import json
from pathlib import Path

from overlays.bitstream.timing.blocks import RamTiming, SystemTiming
from overlays.bitstream.timing.cells import Library
from overlays.bitstream.timing.delay import Delay
from overlays.bitstream.timing.design import graph_of
from overlays.bitstream.timing.graph import Graph
from overlays.bitstream.timing.netlist import read_netlist
from overlays.bitstream.timing.sdf import parse_sdf
from overlays.bitstream.timing.slices import SliceTiming

SLICE_SDF = """(DELAYFILE (SDFVERSION "3.0") (TIMESCALE 1ns)
 (CELL (CELLTYPE "CARRY4") (INSTANCE {0})
  (DELAY (ABSOLUTE (IOPATH S0 CO3 (0.14::0.18)(0.38::0.5)) (IOPATH CIN O0 (0.05::0.08)(0.15::0.2))
   (IOPATH DI0 CO3 (0.1::0.2)(0.3::0.4)))))
 (CELL (CELLTYPE "CARRY4_AX") (INSTANCE {0})
  (DELAY (ABSOLUTE (IOPATH DI0 CO3 (0.11::0.2)(0.3::0.6)))))
 (CELL (CELLTYPE "REG_INIT_FF") (INSTANCE {0})
  (DELAY (ABSOLUTE (IOPATH CLK Q (0.112::0.139)(0.274::0.340))))
  (TIMINGCHECK (HOLD DIN (posedge CLK) (0.194::0.241)) (SETUP DIN (posedge CLK) (-0.055::-0.045))
   (HOLD CE (posedge CLK) (-0.011::-0.009)) (SETUP CE (posedge CLK) (0.088::0.109))))
 (CELL (CELLTYPE "FF_INIT") (INSTANCE {0})
  (DELAY (ABSOLUTE (IOPATH CLK Q (0.112::0.139)(0.274::0.340))))
  (TIMINGCHECK (HOLD DIN (posedge CLK) (0.194::0.241)) (SETUP DIN (posedge CLK) (-0.055::-0.045))
   (HOLD CE (posedge CLK) (-0.011::-0.009)) (SETUP CE (posedge CLK) (0.088::0.109))))
 (CELL (CELLTYPE "REG_INIT_FF_QH") (INSTANCE {0})
  (DELAY (ABSOLUTE (IOPATH SR Q (0.2::0.3)(0.5::0.6))))
  (TIMINGCHECK (RECOVERY SR (posedge CLK) (0.3::0.4)) (REMOVAL SR (posedge CLK) (-0.3::-0.2))))
 (CELL (CELLTYPE "LUT6") (INSTANCE {0}/A6LUT)
  (DELAY (ABSOLUTE (IOPATH A1 O6 (0.045::0.056)(0.1::0.124)))))
 (CELL (CELLTYPE "LUT_OR_MEM6LRAM") (INSTANCE {0}) (TIMINGCHECK
   (HOLD WA1 (posedge CLK) (0.728::0.538)) (SETUP WA1 (posedge CLK) (0.184::0.066))
   (HOLD WE (posedge CLK) (0.008::0.01)) (SETUP WE (posedge CLK) (0.527::0.654))))
 (CELL (CELLTYPE "LUT_OR_MEM6LRAM") (INSTANCE {0}/A6LUT)
  (DELAY (ABSOLUTE (IOPATH A1 O6 (0.045::0.056)(0.1::0.124))
   (IOPATH CLK O6 (0.432::0.538)(0.93::1.153))))
  (TIMINGCHECK (HOLD DI2 (posedge CLK) (0.098::0.122)) (SETUP DI2 (posedge CLK) (0.309::0.384))))
 (CELL (CELLTYPE "ROUTING_BEL") (INSTANCE {0}/AFF) (DELAY (ABSOLUTE
   (INTERCONNECT clk aff (0.029::0.036)(0.093::0.116))
   (INTERCONNECT ax aff (0.06::0.075)(0.165::0.205))
   (INTERCONNECT sr aff (0.029::0.036)(0.076::0.094)) (INTERCONNECT ce aff (0.04::0.05)(0.15::0.19))
   (INTERCONNECT o6 aff (0.03::0.04)(0.07::0.08))
   (INTERCONNECT a6lut aff (0.04::0.05)(0.09::0.11)))))
)"""

RAM_SDF = """(DELAYFILE (TIMESCALE 1ns)
 (CELL (CELLTYPE "RAMBFIFO36E1") (INSTANCE RAMBFIFO36E1) (TIMINGCHECK
  (HOLD ADDRAU (posedge CLKARDCLKU) (-0.566::0.360))
   (SETUP ADDRAU (posedge CLKARDCLKU) (-0.360::0.566))))
 (CELL (CELLTYPE "XRAM_MODE_RAMB18TDP_U_WRITE_MODE_U_RF_EN") (INSTANCE RAMBFIFO36E1) (TIMINGCHECK
  (HOLD DIADIU (posedge CLKARDCLKU) (-0.2::0.4)) (SETUP DIADIU (posedge CLKARDCLKU) (-0.4::0.2))))
 (CELL (CELLTYPE "XRAM_MODE_RAMB18TDP_U_WRITE_MODE_U_WF_EN") (INSTANCE RAMBFIFO36E1) (TIMINGCHECK
  (HOLD DIADIU (posedge CLKARDCLKU) (-0.7::0.6)) (SETUP DIADIU (posedge CLKARDCLKU) (-0.6::0.7))))
 (CELL (CELLTYPE "XRAM_MODE_U_RAMB18TDP_U_DOA_REG_U_0_EN") (INSTANCE RAMBFIFO36E1)
  (DELAY (ABSOLUTE (IOPATH CLKARDCLKU DOADOU (0.585::1.098)(1.353::2.454)))))
 (CELL (CELLTYPE "XRAM_MODE_U_RAMB18TDP_U_DOA_REG_U_1_EN") (INSTANCE RAMBFIFO36E1)
  (DELAY (ABSOLUTE (IOPATH CLKARDCLKU DOADOU (0.204::0.327)(0.468::0.882)))))
)"""

SYSTEM_SDF = """(DELAYFILE (TIMESCALE 1ns) (CELL (CELLTYPE "PS7") (INSTANCE PS7)
  (DELAY (ABSOLUTE (IOPATH MAXIGP0ACLK MAXIGP0WDATA (0.351::0.468)(1.088::1.450))))
  (TIMINGCHECK (HOLD MAXIGP0RDATA (posedge MAXIGP0ACLK) (0.000::0.000))
   (SETUP MAXIGP0RDATA (posedge MAXIGP0ACLK) (0.413::0.550)))))"""


class Design:
    """A design under construction, in the form that nextpnr writes.

    The even slices are taken to have memory.  A net's ROUTING is its delay in ns, with other
    delays for places of their own after a semicolon.
    """

    def __init__(self) -> None:
        self._cells = {}
        self._nets = {}
        self._routing = {}

    def net(self, name, routing):
        self._routing[name] = str(routing)
        return self

    def cell(self, name, kind, place, outputs, inputs, attributes=(), parameters=()):
        pins = {**outputs, **inputs}
        for net in pins.values():
            self._nets.setdefault(net, len(self._nets) + 2)
        self._cells[name] = {
            "type": kind, "parameters": dict(parameters),
            "attributes": {"NEXTPNR_BEL": place, **dict(attributes)},
            "port_directions": {pin: "output" if pin in outputs else "input" for pin in pins},
            "connections": {pin: [self._nets[net]] for pin, net in pins.items()}}
        return self

    def ff(self, name, q, d, clock="clk", site=1, **more):
        return self.cell(name, "SLICE_FFX", f"SLICE_X{site}Y0/AFF", {"Q": q},
                         {"D": d, "CK": clock, **more}, {"X_FFSYNC": "1 "})

    def lut(self, name, o, a1, site=1):
        return self.cell(name, "SLICE_LUTX", f"SLICE_X{site}Y0/A6LUT", {"O6": o}, {"A1": a1})

    def buffer(self, net="clk"):
        return self.cell(f"bufg_{net}", "BUFGCTRL", "BUFGCTRL_X0Y0/BUFGCTRL", {"O": net}, {})

    def write(self, folder: Path) -> Path:
        path = folder / "routed.json"
        nets = {name: {"bits": [bit], "attributes": {"ROUTING": self._routing.get(name, "0")}}
                for name, bit in self._nets.items()}
        path.write_text(json.dumps(
            {"modules": {"top": {"cells": self._cells, "netnames": nets}}}))
        return path

    def graph(self, folder: Path) -> Graph:
        return graph_of(read_netlist(self.write(folder)), library(), StubRoutes())


def library() -> Library:
    slices = {kind: SliceTiming(parse_sdf(SLICE_SDF.format(kind)), kind)
              for kind in ("SLICEL", "SLICEM")}
    return Library(slices, lambda site: "SLICEM" if site.startswith("SLICE_X0") else "SLICEL",
                   RamTiming(parse_sdf(RAM_SDF)), SystemTiming(parse_sdf(SYSTEM_SDF)))


def spread(figure: float) -> Delay:
    """A delay whose four figures are all different."""
    return Delay(figure * 0.25, figure * 0.3, figure * 0.75, figure)


class _Everywhere(dict):
    def __init__(self, default, others):
        super().__init__(others)
        self._default = default

    def __contains__(self, place):
        return self._default is not None

    def __missing__(self, place):
        return self._default


class StubRoutes:
    """Routes that are their own delay."""

    def __init__(self) -> None:
        self.unknown = {}

    def delays(self, routing, source):
        default, *others = routing.split(";")
        places = (other.split("=") for other in others)
        return _Everywhere(None if default == "none" else spread(float(default)),
                           {place: spread(float(figure)) for place, figure in places})
