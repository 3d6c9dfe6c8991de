from dataclasses import replace

from overlays.gateware.config import SMALL
from overlays.gateware.verilog import convert, convert_zynq, source_hash

TINY = replace(SMALL, fmap_rows=16, parameter_units=32)


def test_the_build_register_holds_the_sources_hash():
    text = convert(TINY)
    assert f"32'd{int(source_hash(TINY)[:8], 16)}" in text or source_hash(TINY)[:8] in text
    assert "module accelerator(" in text
    for port in ("gp__awvalid", "hp0_read__araddr", "hp1_read__araddr", "hp0_write__wdata"):
        assert port in text


def test_another_configuration_has_another_hash():
    assert source_hash(TINY) != source_hash(SMALL)
    assert source_hash(TINY) == source_hash(replace(TINY))


def test_for_a_zynq_there_are_no_ports_but_a_ps7():
    text = convert_zynq(TINY)
    assert "module zynq();" in text
    assert "PS7 " in text
    assert "BUFG " in text
    for pin in (".MAXIGP0AWVALID(", ".SAXIHP0RDATA(", ".SAXIHP2ARADDR(", ".FCLKCLK("):
        assert pin in text
