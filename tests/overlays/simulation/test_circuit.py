import itertools
import random

import pytest

from overlays.simulation.circuit import (
    ONE,
    ZERO,
    Circuit,
    CircuitError,
    FlipFlop,
    Port,
    Table,
    require_driven,
    table,
)
from overlays.simulation.netlist_library import NetlistLibrary, Simulator
from tests.overlays.simulation.cells import CLOCK, Design


def test_a_table_loses_what_does_not_matter():
    assert table("t", 0b11001010, ("a", "b", ZERO), "o") == Table("t", 0b10, ("a",), "o")
    assert table("t", 0b11001010, ("a", "b", ONE), "o") == Table("t", 0b10, ("b",), "o")
    assert table("t", 0b1111, ("a", "b"), "o") == Table("t", 1, (), "o")


def test_a_table_without_constants_is_the_same_function():
    rng = random.Random(6)
    for _ in range(200):
        inputs = [rng.choice([ZERO, ONE, "a", "b", "c", "d", "e", "f"][:rng.randint(3, 8)])
                  for _ in range(rng.randint(1, 6))]
        content = rng.getrandbits(1 << len(inputs))
        made = table("t", content, inputs, "o")
        assert made.content < 1 << (1 << len(made.inputs))
        for bits in itertools.product((0, 1), repeat=6):
            values = {ZERO: 0, ONE: 1, **dict(zip("abcdef", bits))}
            place = sum(values[net] << k for k, net in enumerate(inputs))
            left = sum(values[net] << k for k, net in enumerate(made.inputs))
            assert content >> place & 1 == made.content >> left & 1


def test_flip_flops_see_what_was():
    circuit = Circuit(flip_flops=[FlipFlop(f"f{n}", f"q{(n + 1) % 5}", ONE, ZERO, 0, int(n == 0),
                                           f"q{n}") for n in range(5)],
                      ports=[Port("q", False, tuple(f"q{n}" for n in range(5)))])
    simulator = Simulator(circuit)
    seen = []
    for _ in range(6):
        seen.append(simulator.get("q"))
        simulator.clock()
    assert seen == [1, 16, 8, 4, 2, 1]


def test_a_loop_is_named():
    circuit = Circuit(tables=[Table("first", 0b01, ("b",), "a"), Table("second", 0b01, ("a",), "b"),
                              Table("behind", 0b01, ("b",), "c")])
    with pytest.raises(CircuitError, match="loop.*first <- second( <- first)?"):
        Simulator(circuit)


def test_two_drivers_are_named():
    circuit = Circuit(tables=[Table("first", 0, (), "a"), Table("second", 0, (), "a")])
    with pytest.raises(CircuitError, match="net a is driven by first and by second"):
        require_driven(circuit)


def test_no_driver_is_named():
    circuit = Circuit(tables=[Table("alone", 0b10, ("a",), "b")])
    with pytest.raises(CircuitError, match="nothing drives net a at alone"):
        require_driven(circuit)


def test_unknown_ports(tmp_path):
    simulator = Simulator(Circuit(ports=[Port("in", True, ("a",)), Port("out", False, ("a",))]))
    simulator.set(**{"in": 1})
    assert simulator.get("out") == 1
    with pytest.raises(CircuitError, match="no port other"):
        simulator.get("other")
    with pytest.raises(CircuitError, match="no input port out"):
        simulator.set(out=1)


def test_a_file_that_is_no_circuit(tmp_path):
    for content in (b"", b"something else", b"BNNC\1\0\0\0"):
        path = tmp_path / "circuit"
        path.write_bytes(content)
        with pytest.raises(CircuitError, match="circuit: "):
            NetlistLibrary(path)


@pytest.mark.parametrize("kind,pins,what", [
    ("DSP48E1", {}, "DSP48E1 is not simulated"),
    ("FDRE", {"C": [9], "D": [2], "Q": [3]}, "C is not the BUFG's clock"),
    ("BUFG", {"I": [2], "O": [3]}, "second clock"),
    ("CARRY4", {"CI": [2], "CYINIT": [3]}, "both CI and CYINIT"),
])
def test_cells_that_are_not_understood(kind, pins, what):
    design = Design()
    design.add(kind, {}, **pins)
    with pytest.raises(CircuitError, match=what):
        design.circuit()


def test_inverted_pins_are_not_understood():
    design = Design()
    design.add("FDRE", {"IS_C_INVERTED": (1, 1)}, C=[CLOCK], D=[2], Q=[3])
    with pytest.raises(CircuitError, match="IS_C_INVERTED"):
        design.circuit()
