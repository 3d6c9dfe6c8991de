from dataclasses import replace

from overlays.gateware.config import SMALL
from overlays.gateware.verilog import code, convert, convert_zynq, source_hash

TINY = replace(SMALL, fmap_rows=16, parameter_units=64)


def test_the_build_register_holds_the_sources_hash():
    text = convert(TINY)
    assert f"32'd{int(source_hash(TINY)[:8], 16)}" in text or source_hash(TINY)[:8] in text
    assert "module accelerator(" in text
    for port in ("gp__awvalid", "hp0_read__araddr", "hp1_read__araddr", "hp0_write__wdata"):
        assert port in text


def test_another_configuration_has_another_hash():
    assert source_hash(TINY) != source_hash(SMALL)
    assert source_hash(TINY) == source_hash(replace(TINY))


SOURCE = '''"""A module."""
import this  # and why

BITS = 4
"""Of a −thing−
over two lines."""


class Block:
    """Docs."""

    def build(self):  # noqa
        """More docs: ×."""
        return "a # string" + "kept"
'''


def test_words_about_the_code_do_not_count_but_all_of_the_code_does():
    assert code(SOURCE).splitlines() == [
        "import this", "BITS = 4", "class Block:", "    def build(self):",
        '        return "a # string" + "kept"']
    assert code(SOURCE.replace("Docs.", "Other docs.").replace("and why", "")) == code(SOURCE)
    for old, new in (("BITS = 4", "BITS = 5"), ("a # string", "a # thing"), ("this", "that"),
                     ("    def", "def")):
        assert code(SOURCE.replace(old, new)) != code(SOURCE)


def test_for_a_zynq_there_are_no_ports_but_a_ps7():
    text = convert_zynq(TINY)
    assert "module zynq();" in text
    assert "PS7 " in text
    assert "BUFG " in text
    for pin in (".MAXIGP0AWVALID(", ".SAXIHP0RDATA(", ".SAXIHP2ARADDR(", ".FCLKCLK("):
        assert pin in text
