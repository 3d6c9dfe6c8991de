"""Halves of block RAM tiles: as a RAMB18 of their own, and two of them as the words of a RAMB36."""

import random

import pytest

from overlays.bitstream.recover import RecoveryError
from overlays.bitstream.recover.block_rams import BlockRamHalf, output_net
from overlays.bitstream.recover.routing import Driver
from overlays.bitstream.recover.tile_kinds import SitePin
from overlays.simulation.circuit import ONE, ZERO
from tests.overlays.bitstream.recover.made_up import Bench

ALL = (1 << 18) - 1
ZINV = {f"ZINV_{pin}": 1 for pin in ("CLKARDCLK", "CLKBWRCLK", "ENARDEN", "ENBWREN",
                                     "RSTRAMARSTRAM", "RSTRAMB")}
PLAIN = {"IN_USE": 1, **ZINV, "ZINIT_A": ALL, "ZINIT_B": ALL, "ZSRVAL_A": ALL, "ZSRVAL_B": ALL}


def widths(read_a, write_a, read_b, write_b):
    return {f"READ_WIDTH_A_{read_a}": 1, f"WRITE_WIDTH_A_{write_a}": 1,
            f"READ_WIDTH_B_{read_b}": 1, f"WRITE_WIDTH_B_{write_b}": 1}


class Tile(Bench):
    """Pins of the lower and the upper half are called L_... and U_...; clocks are the clock."""

    def net(self, tile, wire):
        site, pin = wire.split("_")[1:]
        name = ("U_" if site == "RAMB18" else "L_") + pin
        return self.ties.get(name, super().net(tile, name))


def halves(bench, settings):
    for half in (0, 1):
        BlockRamHalf(bench, "BRAM_L_X6Y0", half, settings).make()


def test_a_ramb36_of_36_bits_by_bytes():
    """Bit k of the word is bit k // 2 of half k % 2; each byte has a write enable in each half."""
    rng = random.Random(36)
    ties = {f"{half}_{pin}": value for half in "LU" for pin, value in
            (("ENARDEN", ONE), ("ENBWREN", ONE), ("RSTRAMARSTRAM", ZERO), ("RSTRAMB", ZERO),
             *((f"WEBWE{lane}", ZERO) for lane in range(4)))}
    bench = Tile(ties)
    halves(bench, {**PLAIN, **widths(18, 18, 18, 18), "WRITE_MODE_A_READ_FIRST": 1})
    outputs = {f"d{k}": f"BRAM_L_X6Y0.Y{k % 2}.DOBDO{k // 2}" for k in range(32)}
    outputs.update({f"p{k}": f"BRAM_L_X6Y0.Y{k % 2}.DOPBDOP{k // 2}" for k in range(4)})
    simulator = bench.simulator(**outputs)
    memory = {}
    for _ in range(300):
        write, read, lanes = rng.randrange(4), rng.randrange(4, 8), rng.randrange(16)
        if rng.getrandbits(1):
            write, read = read, write
        data, parity = rng.getrandbits(32), rng.getrandbits(4)
        for half, name in enumerate("LU"):
            simulator.set(**{f"{name}_ADDRARDADDR{4 + k}": write >> k & 1 for k in range(3)},
                          **{f"{name}_ADDRBWRADDR{4 + k}": read >> k & 1 for k in range(3)},
                          **{f"{name}_WEA{k}": lanes >> k & 1 for k in range(4)},
                          **{f"{name}_DIADI{k}": data >> 2 * k + half & 1 for k in range(16)},
                          **{f"{name}_DIPADIP{k}": parity >> 2 * k + half & 1 for k in range(2)})
        simulator.clock()
        for byte in range(4):
            if lanes >> byte & 1:
                memory[write, byte] = data >> 8 * byte & 255, parity >> byte & 1
            value = sum(simulator.get(f"out_d{8 * byte + k}") << k for k in range(8))
            assert (value, simulator.get(f"out_p{byte}")) == memory.get((read, byte), (0, 0))


def test_contents_and_outputs_at_the_start():
    bench = Tile()
    BlockRamHalf(bench, "BRAM_L_X6Y0", 1, {
        **PLAIN, **widths(9, 1, 1, 1), "INIT_01": 0b101, "INITP_07": 1 << 255,
        "ZINIT_A": ALL & ~0b10 & ~(1 << 16)}).make()
    (ram,) = bench.circuit.block_rams
    assert ram.ones == (256, 258, (1 << 14) + 8 * 256 - 1)
    port = ram.ports[0]
    assert port.start == 0b100000010
    assert port.outputs[-1] == "BRAM_L_X6Y0.Y1.DOPADOP0"
    assert port.mode == "WRITE_FIRST"


def test_pins_behind_their_inverters():
    bench = Tile({"L_RSTRAMARSTRAM": ONE, "L_ENBWREN": ZERO})
    settings = {**PLAIN, **widths(18, 1, 1, 1)}
    for pin in ("RSTRAMARSTRAM", "ENBWREN", "ENARDEN"):
        del settings[f"ZINV_{pin}"]
    BlockRamHalf(bench, "BRAM_L_X6Y0", 0, settings).make()
    first, second = bench.circuit.block_rams[0].ports
    assert first.reset == ZERO
    assert second.enable == ONE
    (inverter,) = bench.circuit.tables
    assert (inverter.inputs, inverter.content, inverter.output) == (("L_ENARDEN",), 0b01,
                                                                    first.enable)


@pytest.mark.parametrize("change,what", [
    ({"DOA_REG": 1}, "DOA_REG"), ({"SDP_READ_WIDTH_36": 1}, "SDP_READ"),
    ({"READ_WIDTH_A_9": 1}, r"READ_WIDTH_A is \[9, 18\]"), ({"ZINV_CLKARDCLK": None}, "inverted")])
def test_what_is_not_understood(change, what):
    settings = {**PLAIN, **widths(18, 18, 18, 18)}
    for name, value in change.items():
        settings.pop(name, None)
        settings.update({name: value} if value else {})
    with pytest.raises(RecoveryError, match=what):
        BlockRamHalf(Tile(), "BRAM_L_X6Y0", 0, settings).make()


@pytest.mark.parametrize("wire,net", [
    ("BRAM_FIFO18_DOADO3", "B.Y0.DOADO3"), ("BRAM_RAMB18_DOPBDOP1", "B.Y1.DOPBDOP1"),
    ("BRAM_FIFO36_DOADOL3", "B.Y0.DOADO3"), ("BRAM_FIFO36_DOBDOU15", "B.Y1.DOBDO15")])
def test_names_of_outputs(wire, net):
    assert output_net(Driver("B", wire, SitePin("any", "X0Y0", "any"))) == net


def test_an_output_that_is_none():
    with pytest.raises(RecoveryError, match="EMPTY"):
        output_net(Driver("B", "BRAM_FIFO18_EMPTY", SitePin("FIFO18E1", "X0Y0", "EMPTY")))
