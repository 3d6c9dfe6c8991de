"""Placements of random designs, annealed; what is legal is judged here on its own."""

import json
import logging
import random
import re

import numpy as np
import pytest

from overlays.bitstream import anneal as annealing
from overlays.bitstream.anneal import Cooling, anneal, annealer
from overlays.bitstream.anneal.annealer import Annealer
from overlays.bitstream.anneal.placement import read_placement
from overlays.bitstream.anneal.sites import Site, read_sites
from overlays.bitstream.anneal.wires import read_wires
from overlays.bitstream.errors import BitstreamError
from overlays.bitstream.timing import analyse
from overlays.bitstream.timing.delay import TimingError
from overlays.bitstream.timing.netlist import netlist_of, read_tree
from tests.overlays.bitstream.timing_designs import Design, library

pytestmark = pytest.mark.skipif(
    annealer.find_compiler() is None, reason="annealing needs a C compiler")

COLUMNS, HEIGHT, REGION, RAMS = 6, 100, 50, 8
QUICK = Cooling(moves=40)


@pytest.fixture
def sites():
    """Three columns of two slices, the left one of each with memory, and block RAMs beside."""
    made = {f"SLICE_X{x}Y{y}": Site("SLICEL" if x % 2 else "SLICEM", 4 * (x // 2),
                                    2 * (HEIGHT - y) + (0 if y < REGION else -2))
            for x in range(COLUMNS) for y in range(HEIGHT)}
    for y in range(RAMS):
        made[f"RAMB36_X0Y{y}"] = Site("RAMBFIFO36E1", 13, 100 - 10 * y)
        for half in range(2):
            made[f"RAMB18_X0Y{2 * y + half}"] = Site("RAMB18E1", 13, 100 - 10 * y)
    return {**made, "BUFGCTRL_X0Y0": Site("BUFGCTRL", 7, 100)}


class Random(Design):
    """Slices of LUTs, flip-flops, memory and chains, each where it may be, with random nets."""

    def __init__(self, seed):
        super().__init__()
        self.choice = random.Random(seed)
        self.clocked, self.others = ([f"{kind}{i}" for i in range(80)] for kind in "qn")
        self.free = {"q": list(self.clocked), "n": list(self.others)}
        self.buffer()
        places = [(x, y) for x in range(COLUMNS) for y in range(HEIGHT)]
        self.choice.shuffle(places)
        taken = set()
        for x, y in places[:60]:
            kind = self.choice.choice(["lanes", "lanes", "lanes", "memory", "chain", "mux"])
            tall = self.choice.randint(2, 4) if kind == "chain" else 1
            mine = {(x, y + k) for k in range(tall)}
            if (taken & mine or y + tall > HEIGHT or y // REGION != (y + tall - 1) // REGION
                    or (kind == "memory" and x % 2)):
                continue
            taken |= mine
            getattr(self, kind)(f"SLICE_X{x}Y", y, tall)
        for y in self.choice.sample(range(RAMS), 5):
            halves = self.choice.choice([[], [0], [1], [0, 1]])
            for size, at in [(18, 2 * y + half) for half in halves] or [(36, y)]:
                kind = f"RAMB{size}E1"
                self.cell(f"ram_{size}_{at}", f"{kind}_{kind}", f"RAMB{size}_X0Y{at}/{kind}",
                          {"DOADO0": self.drives("q")},
                          {"DIADI0": self.any(), "DIADI1": self.any(), "CLKARDCLKU": "clk"})

    def any(self):
        return self.choice.choice(self.clocked + self.others)

    def early(self):
        """A net that a flip-flop drives: a LUT may read it without making a loop."""
        return self.choice.choice(self.clocked)

    def drives(self, kind):
        return self.free[kind].pop() if self.free[kind] else f"more{len(self._cells)}"

    def flip_flop(self, place, controls, d=None):
        self.last_d = d or self.any()
        self.cell(f"ff_{place}", "SLICE_FFX", place, {"Q": self.drives("q")},
                  {"D": self.last_d, "CK": "clk", **controls}, {"X_FFSYNC": "1"})

    def lut(self, place):
        out = self.drives("n")
        self.cell(f"lut_{place}", "SLICE_LUTX", place, {"O6": out}, {"A1": self.early()})
        return out

    def lanes(self, site, y, _, wide=""):
        """All that may be in a quarter of a slice: one flip-flop at most takes the X input.

        The `wide` lane has a multiplexer, which takes the second LUT's output.
        """
        controls = self.choice.choice([{}, {"CE": "q0"}, {"CE": "q1"}, {"SR": "q2"}])
        for letter in self.choice.sample("ABCD", self.choice.randint(1, 4)):
            place = f"{site}{y}/{letter}"
            has = {part: self.choice.random() < 0.5
                   for part in ("lut6", "lut5", "direct", "direct5", "loose")}
            has["lut5"] &= letter != wide
            six = self.lut(f"{place}6LUT") if has["lut6"] else None
            five = self.lut(f"{place}5LUT") if has["lut5"] else None
            if six and has["direct"]:
                self.flip_flop(f"{place}FF", controls, six)
            if five and has["direct5"]:
                self.flip_flop(f"{place}5FF", controls, five)
            if has["loose"] and not (six and has["direct"]):
                self.flip_flop(f"{place}FF", controls)
                if not five and self.choice.random() < 0.3:  # both from the X input
                    self.flip_flop(f"{place}5FF", controls, self.last_d)
            elif has["loose"] and not five:
                self.flip_flop(f"{place}5FF", controls)

    def memory(self, site, y, _):
        for letter in "ABCD":
            self.cell(f"mem_{site}{y}{letter}", "SLICE_LUTX", f"{site}{y}/{letter}6LUT",
                      {"O6": self.drives("n")} if letter == "A" else {},
                      {"A1": self.early(), "CLK": "clk"}, {"X_LUT_AS_DRAM": "1"})

    def mux(self, site, y, _):
        self.lanes(site, y, 1, "A")
        self.cell(f"mux_{site}{y}", "SELMUX2_1", f"{site}{y}/F7AMUX", {"OUT": self.drives("n")},
                  {"S0": self.early()})

    def chain(self, site, y, tall):
        below = None
        for k in range(tall):
            out = f"carry_{site}{y + k}"
            self.cell(out, "CARRY4", f"{site}{y + k}/CARRY4", {"CO3": out},
                      {"S0": self.early(), **({"CIN": below} if below else {})})
            self.flip_flop(f"{site}{y + k}/BFF", {})
            below = out


def where(cells):
    return {name: cell["attributes"]["NEXTPNR_BEL"] for name, cell in cells.items()}


def judge(before, after, sites):
    """Nothing but NEXTPNR_BEL has changed, and that is legal."""
    was, now = where(before), where(after)
    for cells in (before, after):
        for cell in cells.values():
            cell["attributes"].pop("NEXTPNR_BEL")
    assert before == after
    assert len(set(now.values())) == len(now)
    drivers = {bit: name for name, cell in after.items() for pin, (bit,) in
               cell["connections"].items() if cell["port_directions"][pin] == "output"}
    whole = {place.split("/")[0] for name, place in was.items()
             if after[name]["type"] in ("CARRY4", "SELMUX2_1")
             or "X_LUT_AS_DRAM" in after[name]["attributes"]}
    moved, controls, lanes, rams = {}, {}, {}, {}
    for name, place in now.items():
        (old, old_bel), (site, bel), cell = was[name].split("/"), place.split("/"), after[name]
        assert site in sites
        if site.startswith("RAMB"):  # no place of 36 Kb and half of it at once
            assert (site[:6], bel) == (old[:6], old_bel)
            y = int(site.split("Y")[1])
            size = 36 if site.startswith("RAMB36") else 18
            assert rams.setdefault(y if size == 36 else y // 2, size) == size
        elif not site.startswith("SLICE"):
            assert place == was[name]
        elif old in whole:  # such a slice stays together, and where its kind is
            assert bel == old_bel
            assert moved.setdefault(old, site) == site
            assert sites[site].kind == "SLICEM" or "X_LUT_AS_DRAM" not in cell["attributes"]
        else:
            assert site not in {now[other].split("/")[0] for other in now
                                if was[other].split("/")[0] in whole}
        if cell["type"] == "SLICE_LUTX":
            assert bel[1:] == old_bel[1:]
        if cell["type"] == "SLICE_FFX":
            mine = [cell["connections"].get(pin) for pin in ("CK", "CE", "SR")]
            assert controls.setdefault(site, mine) == mine
        if cell["type"] in ("SLICE_LUTX", "SLICE_FFX"):
            assert bel[0] in "ABCD"
            assert bel[1:] in (("6LUT", "5LUT") if cell["type"] == "SLICE_LUTX" else ("FF", "5FF"))
            lanes.setdefault((site, bel[0]), {})[bel[1:]] = name
    for lane in lanes.values():
        inputs = []
        for bel in {"FF", "5FF"} & set(lane):
            driver = drivers.get(*after[lane[bel]]["connections"]["D"])
            direct = was.get(driver, "").split("/")[0] == was[lane[bel]].split("/")[0] and (
                driver.startswith("lut") and was[driver][:-4] == was[lane[bel]].rstrip("F")
                .rstrip("5"))
            if direct:  # is still behind its LUT
                assert lane[{"FF": "6LUT", "5FF": "5LUT"}[bel]] == driver
                continue
            inputs.append(bel)
        # there is one X input, and one way out for the second flip-flop and the second LUT
        assert len({*(tuple(after[lane[bel]]["connections"]["D"]) for bel in inputs)}) <= 1
        assert "5FF" not in inputs or "5LUT" not in lane
    for name, place in now.items():
        below = after[name]["connections"].get("CIN")
        if below:
            (x, y), (x0, y0) = (tuple(map(int, each.split("/")[0][7:].split("Y")))
                                for each in (place, now[drivers[below[0]]]))
            assert (x, y) == (x0, y0 + 1)
            assert y // REGION == y0 // REGION


def length(cells, sites):
    """Half the perimeters of the nets' boxes, but for the clock and what one slice holds."""
    pins = {}
    for name, cell in cells.items():
        site = sites[cell["attributes"]["NEXTPNR_BEL"].split("/")[0]]
        for pin, (net,) in cell["connections"].items():
            if pin not in ("CK", "CLK", "CLKARDCLKU"):
                pins.setdefault(net, {})[name, pin] = (
                    site, cell["port_directions"][pin] == "output")
    driven = [[site for site, _ in ends.values()] for ends in pins.values()
              if any(output for _, output in ends.values())]
    return sum(max(s.across for s in net) - min(s.across for s in net)
               + max(s.down for s in net) - min(s.down for s in net) for net in driven)


def prepared(tmp_path, design, sites):
    """The annealer of a design, as :func:`anneal` makes it."""
    return Annealer(*parts(tmp_path, design, sites), 1, 5, 0.5)


def parts(tmp_path, design, sites):
    path = design.write(tmp_path)
    netlist = netlist_of(read_tree(path), path, is_routed=False)
    placement = read_placement(netlist, sites)
    return placement, read_wires(netlist, placement.unit_of, len(placement.row_of), library())


@pytest.fixture
def annealed(tmp_path, sites, monkeypatch):
    monkeypatch.setattr(annealing, "read_sites", lambda database: sites)
    monkeypatch.setattr(annealing, "read_library", lambda database, sites: library())

    def run(design, cooling=QUICK, seed=1):
        source, target = design.write(tmp_path), tmp_path / "annealed.json"
        anneal(source, target, tmp_path, seed, cooling)
        return [json.loads(path.read_text())["modules"]["top"]["cells"]
                for path in (source, target)]
    return run


@pytest.mark.parametrize("seed", range(4))
def test_a_legal_placement_stays_legal_and_gets_shorter(annealed, sites, seed):
    before, after = annealed(Random(seed))
    assert length(after, sites) < 0.6 * length(before, sites)
    judge(before, after, sites)


def test_hot_moves_are_legal_too(annealed, sites):
    before, after = annealed(Random(7), Cooling(moves=40, hottest=50.0, factor=0.3))
    judge(before, after, sites)


def test_the_seed_decides(annealed):
    (_, one), (_, same), (_, other) = (annealed(Random(3), seed=seed) for seed in (1, 1, 2))
    assert where(one) == where(same) != where(other)


def test_wire_is_the_boxes_half_perimeters(tmp_path, sites):
    design = Random(5)
    cells = json.loads(design.write(tmp_path).read_text())["modules"]["top"]["cells"]
    assert prepared(tmp_path, design, sites).wire() == length(cells, sites)


def test_costs_kept_move_by_move_are_those_reckoned_anew(tmp_path, sites):
    some = prepared(tmp_path, Random(6), sites)
    some.weigh(8.0, 100.0, 8.0)
    some.wire()
    for temperature in (50.0, 1.0):
        some.cool(20000, (0.1, 0.5, 0.3), 20, temperature)
        kept = some.cost()
        some.wire()
        assert kept == pytest.approx(some.cost(), rel=1e-4)


def test_pins_are_counted_by_tile(tmp_path, sites):
    """Not clocks, controls and a carry chain's own wires; what two lanes read counts twice, and
    what belongs to LUT RAM two and a half times, in whole pins."""
    design = Design().buffer()
    design.cell("a", "SLICE_FFX", "SLICE_X0Y3/AFF", {"Q": "a"}, {"D": "e", "CK": "clk", "CE": "m"})
    design.cell("b", "SLICE_LUTX", "SLICE_X1Y3/A6LUT", {"O6": "b"}, {"A1": "a", "A2": "d"})
    design.cell("c", "SLICE_LUTX", "SLICE_X1Y3/B6LUT", {"O6": "c"}, {"A1": "a", "A2": "d"})
    design.cell("d", "SLICE_FFX", "SLICE_X2Y3/AFF", {"Q": "d"}, {"D": "b", "CK": "clk"})
    design.cell("e", "SLICE_FFX", "SLICE_X2Y4/AFF", {"Q": "e"}, {"D": "c", "CK": "clk"})
    for letter in "AB":
        design.cell(f"m{letter}", "SLICE_LUTX", f"SLICE_X4Y9/{letter}6LUT",
                    {"O6": "m"} if letter == "A" else {},
                    {"A1": "a", "WA1": "d", "WE": "e", "CLK": "clk"}, {"X_LUT_AS_DRAM": "1"})
    for k in range(2):
        design.cell(f"carry{k}", "CARRY4", f"SLICE_X5Y{20 + k}/CARRY4", {"CO3": f"carry{k}"},
                    {"S0": "a", **({"CIN": "carry0"} if k else {})})
    pins = prepared(tmp_path, design, sites).tile_pins.reshape(COLUMNS // 2, HEIGHT)
    assert {place: pins[place] for place in zip(*pins.nonzero())} == {
        (0, 3): 2 + 3 + 3, (1, 3): 2, (1, 4): 2, (2, 9): 5 + 2, (2, 20): 1 + 1, (2, 21): 1}


def test_pins_kept_move_by_move_are_those_counted_anew(tmp_path, sites):
    placement, wires = parts(tmp_path, Random(6), sites)
    some = Annealer(placement, wires, 1, 5, 0.5)
    some.wire()
    was = some.tile_pins.copy()
    some.cool(20000, (0.1, 0.5, 0.3), 20, 1.0)
    assert (some.tile_pins == Annealer(placement, wires, 1, 5, 0.5).tile_pins).all()
    assert (some.tile_pins != was).any()


@pytest.mark.parametrize("kind, bel, out, into", [
    ("SLICE_FFX", "AFF", "Q", "D"), ("CARRY4", "CARRY4", "O0", "S0")])
def test_full_tiles_are_thinned_out(annealed, sites, kind, bel, out, into):
    """A ring of cells of two pins each, that move alone or with their slices."""
    def fullest(crowding):
        design = Design().buffer()
        for i in range(40):
            design.cell(f"cell{i}", kind, f"SLICE_X{i % 6}Y{2 * i}/{bel}", {out: f"n{i}"},
                        {into: f"n{i - 1 if i else 39}"})
        _, after = annealed(design, Cooling(moves=100, free_pins=3, crowding=crowding))
        tiles = [(s.across, s.down) for s in (
            sites[place.split("/")[0]] for name, place in where(after).items() if "cell" in name)]
        return max(map(tiles.count, tiles))
    assert fullest(0.0) > 1
    assert fullest(5.0) == 1


def fixed(design, sites, name, across, down, **pins):
    """A cell that stays where it is."""
    sites[f"PAD_{name}"] = Site("IOB33", across, down)
    out = {"O6": pins.pop("O6")} if "O6" in pins else {}
    design.cell(name, "SLICE_LUTX", f"PAD_{name}/A6LUT", out, pins)


def path_of(tops):
    """Two flip-flops, the LUT that one leads to, and the flip-flop behind it, a slice each."""
    design = Design().buffer()
    for (name, kind, bel, outputs, inputs), y in zip((
            ("a", "SLICE_FFX", "AFF", {"Q": "a"}, {"D": "c", "CK": "clk"}),
            ("near", "SLICE_FFX", "AFF", {"Q": "n"}, {"D": "c", "CK": "clk"}),
            ("b", "SLICE_LUTX", "A6LUT", {"O6": "b"}, {"A1": "a", "A2": "n"}),
            ("c", "SLICE_FFX", "AFF", {"Q": "c"}, {"D": "b", "CK": "clk"})), tops):
        design.cell(name, kind, f"SLICE_X1Y{y}/{bel}", outputs, inputs)
    return design


@pytest.mark.parametrize("tops, delays", [
    ((10, 36, 40, 44), {"a": 2.05, "n": 1.01, "b": 1.01, "c": 2.21}),
    ((36, 10, 40, 44), {"a": 1.01, "n": 2.05, "b": 1.01, "c": 2.21}),
    ((40, 40, 40, 44), {"a": 0.1, "n": 0.1, "b": 1.01, "c": 1.01})])
def test_slack_is_what_the_timing_analysis_finds_with_these_delays(tmp_path, sites, tops, delays):
    design = path_of(tops)
    some = prepared(tmp_path, design, sites)
    for net, delay in delays.items():
        design.net(net, delay)
    graph = design.graph(tmp_path)
    for mhz in (125.0, 400.0):
        report = analyse(graph, mhz, 0.0, 1)
        assert some.weigh(1000 / mhz, 100.0, 8.0) == pytest.approx(report.setup_slack_ns, abs=1e-4)
    cells = json.loads((tmp_path / "routed.json").read_text())["modules"]["top"]["cells"]
    assert some.wire() == length(cells, sites)  # not the clock's


def test_a_critical_connection_is_made_shorter_before_others(annealed, sites):
    """The LUT lies beside its two flip-flops, or where the shorter wires have it.

    Both flip-flops have to be where they are; more of what the LUT reads comes from afar.
    """
    def design():
        made = Design().buffer()
        for name, into, y in (("a", "c", 2), ("c", "b", 4)):
            made.cell(name, "SLICE_FFX", f"SLICE_X1Y{y}/AFF", {"Q": name}, {"D": into, "CK": "clk"})
            for i in range(4):
                fixed(made, sites, f"by_{name}{i}", 4, 190, A1=name)
        made.cell("b", "SLICE_LUTX", "SLICE_X1Y45/A6LUT", {"O6": "b"},
                  {"A1": "a", **{f"A{i}": f"far{i}" for i in (2, 3, 4)}})
        for i in (2, 3, 4):
            fixed(made, sites, f"far{i}", 4, 50, O6=f"far{i}")
        return made

    def apart(weight):
        _, after = annealed(design(), Cooling(
            moves=300, delay_weight=weight, exponent=8.0, period_ns=1.0))
        at = [sites[where(after)[name].split("/")[0]] for name in "abc"]
        return sum(abs(p.across - q.across) + abs(p.down - q.down) for p in at for q in at)
    assert apart(1e4) < apart(0.0)


def test_weights_go_half_the_way_each_time(tmp_path, sites):
    """Else what was critical goes and what was not comes, in turn."""
    some = prepared(tmp_path, Random(6), sites)
    costs = []
    for _ in range(3):
        some.wire()
        costs.append(some.cost())
        some.weigh(2.0, 100.0, 8.0)
    assert costs[1] > 1.1 * costs[0]
    assert costs[2] - costs[1] == pytest.approx((costs[1] - costs[0]) / 2, rel=1e-3)


def test_a_carry_chain_is_no_wire(tmp_path, sites):
    design = Design().buffer()
    design.cell("start", "SLICE_FFX", "SLICE_X1Y2/AFF", {"Q": "s"}, {"D": "s", "CK": "clk"})
    for k in range(3):
        design.cell(f"carry{k}", "CARRY4", f"SLICE_X3Y{2 + k}/CARRY4", {"CO3": f"c{k}"},
                    {"S0": "s", **({"CIN": f"c{k - 1}"} if k else {})})
    design.cell("top", "CARRY4", "SLICE_X3Y5/CARRY4", {"O0": "o"}, {"CIN": "c2"})
    design.cell("end", "SLICE_FFX", "SLICE_X1Y5/AFF", {"Q": "e"}, {"D": "o", "CK": "clk"})
    some = prepared(tmp_path, design, sites)
    aside, up = 4 * 0.02, 2 * 0.04  # to the last S0, the only one whose way up the figures know
    for net, delay in {"s": 0.85 + aside + up, "o": 0.85 + aside, "c2": 0}.items():
        design.net(net, delay)
    report = analyse(design.graph(tmp_path), 125.0, 0.0, 1)
    assert some.weigh(8.0, 100.0, 8.0) == pytest.approx(report.setup_slack_ns, abs=1e-4)


@pytest.mark.parametrize("kind, near", [("SLICE_FFX", False), ("SLICE_LUTX", True)])
def test_a_flip_flop_is_kept_away_from_the_block_ram_that_it_feeds(annealed, sites, kind, near):
    """Hold: a LUT takes longer."""
    design = Design().buffer()
    bel, output, inputs = (("AFF", "Q", {"D": "ram", "CK": "clk"}) if kind == "SLICE_FFX"
                           else ("A6LUT", "O6", {}))
    design.cell("source", kind, f"SLICE_X1Y10/{bel}", {output: "feeds"}, inputs)
    design.cell("ram", "RAMB36E1_RAMB36E1", "RAMB36_X0Y0/RAMB36E1", {"DOADO0": "ram"},
                {"DIADI0": "feeds", "CLKARDCLKU": "clk"})
    _, after = annealed(design)
    source, ram = (sites[where(after)[name].split("/")[0]] for name in ("source", "ram"))
    apart = abs(source.across - ram.across)
    assert (apart < 6 and abs(source.down - ram.down) <= 10) is near
    assert apart <= 9


@pytest.mark.parametrize("size", [36, 18])
def test_block_rams_go_where_their_wires_are_short(annealed, sites, size):
    """Each beside the cell that it leads to, which stays; they began in the opposite order."""
    halves = 36 // size
    design, kind = Design().buffer(), f"RAMB{size}E1"
    for i in range(RAMS * halves):
        fixed(design, sites, f"end{i}", 4, 100 - 10 * (i // halves), A1=f"n{i}")
        design.cell(f"ram{i}", f"{kind}_{kind}", f"RAMB{size}_X0Y{RAMS * halves - 1 - i}/{kind}",
                    {"DOADO0": f"n{i}"}, {"CLKARDCLKU": "clk"})
    before, after = annealed(design, Cooling(moves=100, rams_share=0.5))
    assert length(after, sites) == RAMS * halves * (13 - 4)
    judge(before, after, sites)


@pytest.mark.parametrize("seed", range(20))
def test_a_move_is_drawn_to_the_middle_of_its_nets_boxes(tmp_path, sites, seed):
    """Down from 20 to 160 and from 150 to 180: between 150 and 160 neither gets wider."""
    design = Design().buffer()
    design.cell("moves", "SLICE_LUTX", "SLICE_X0Y97/A6LUT", {"O6": "a"}, {"A1": "b"})
    for name, across, down, pins in (("a0", 0, 20, {"A1": "a"}), ("a1", 13, 160, {"A1": "a"}),
                                     ("b0", 13, 150, {"O6": "b"}), ("b1", 13, 180, {"A1": "b"})):
        fixed(design, sites, name, across, down, **pins)
    placement, wires = parts(tmp_path, design, sites)
    some = Annealer(placement, wires, seed, 5, 0.0)
    some.wire()
    while not some.cool(1, (0.0, 1.0, 1.0), 30, 1e9):
        pass
    row = placement.row_of[placement.unit_of["moves"]]
    assert 150 - 2 <= placement.row_down[row] <= 160 + 2
    assert placement.row_across[row] >= 4


def test_what_is_drawn_gets_there_at_once(tmp_path, sites):
    """One cell between two that stay: moves that know where to are worth many that don't."""
    def left(drawn):
        design = Design().buffer()
        for i in range(20):
            design.cell(f"a{i}", "SLICE_LUTX", f"SLICE_X{i % 6}Y{i}/A6LUT", {"O6": f"n{i}"}, {})
            design.cell(f"b{i}", "SLICE_FFX", f"SLICE_X{5 - i % 6}Y{99 - i}/AFF", {"Q": f"q{i}"},
                        {"D": f"n{i}", "CK": "clk"})
        some = prepared(tmp_path, design, sites)
        some.wire()
        some.cool(2000, (0.0, 1.0, drawn), 30, 0.1)
        return some.wire()
    assert left(0.9) < 0.5 * left(0.0)


def test_a_chain_that_leaves_its_region_stays(annealed, sites):
    design = Random(2)
    design.chain("SLICE_X1Y", 48, 4)
    before, after = annealed(design)
    there = {f"SLICE_X1Y{y}" for y in range(48, 52)}
    was, now = ({name: place for name, place in where(cells).items()
                 if place.split("/")[0] in there} for cells in (before, after))
    assert was == now


def test_designs_that_no_placer_writes(annealed):
    design = Random(2)
    design.flip_flop("SLICE_X1Y0/AFF", {"CE": "q0"})
    design.flip_flop("SLICE_X1Y0/A5FF", {"CE": "q1"})
    with pytest.raises(TimingError, match="SLICE_X1Y0: flip-flops with different controls"):
        annealed(design)
    design = Design().cell("low", "CARRY4", "SLICE_X0Y0/CARRY4", {"CO3": "x"}, {})
    design.cell("high", "CARRY4", "SLICE_X0Y2/CARRY4", {}, {"CIN": "x"})
    with pytest.raises(TimingError, match="from SLICE_X0Y0 goes on in SLICE_X0Y2"):
        annealed(design)
    design = Design().cell("low", "RAMB36E1_RAMB36E1", "RAMB36_X0Y0/RAMB36E1", {"CASCADEOUTA": "x"},
                           {})
    with pytest.raises(TimingError, match="low is cascaded"):
        annealed(design)


def test_a_file_that_is_no_design(tmp_path, sites, monkeypatch):
    monkeypatch.setattr(annealing, "read_sites", lambda database: sites)
    path = tmp_path / "placed.json"
    for text, said in (("{", "not JSON"), ('{"modules": {"top": {}}}', "not a design written by"),
                       ('{"modules": {}}', "0 modules")):
        path.write_text(text)
        with pytest.raises(TimingError, match=said):
            anneal(path, tmp_path / "annealed.json", tmp_path, 1, QUICK)
    assert not (tmp_path / "annealed.json").exists()


def test_no_compiler(annealed, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(BitstreamError, match="a C compiler is wanted: cc, gcc, clang"):
        annealed(Random(1))


def test_a_source_that_does_not_compile(monkeypatch, tmp_path):
    broken = tmp_path / "broken.c"
    broken.write_text("int main(")
    monkeypatch.setattr(annealer, "SOURCE", broken)
    with pytest.raises(BitstreamError, match="(?s)does not compile .*broken.c.*error"):
        annealer._compile()


def test_a_grid_that_is_missing_or_damaged(tmp_path):
    with pytest.raises(BitstreamError, match="tilegrid.json can't be read"):
        read_sites(tmp_path)
    folder = tmp_path / "xc7z020"
    folder.mkdir()
    (folder / "tilegrid.json").write_text('{"a": {}}')
    with pytest.raises(BitstreamError, match="is damaged"):
        read_sites(tmp_path)
    (folder / "tilegrid.json").write_text(
        '{"a": {"grid_x": 3, "grid_y": 5, "type": "CLBLL_L", "sites": {"SLICE_X0Y0": "SLICEL"}}}')
    assert read_sites(tmp_path) == {"SLICE_X0Y0": Site("SLICEL", 3, 10)}


def test_edges_and_what_has_no_switch_boxes(tmp_path):
    """20 pairs of columns and 30 rows, with ten columns in between that are only passed."""
    tiles = []
    for y in range(30):
        for pair in range(20):
            left = 4 * pair + (10 if pair > 9 else 0)
            tiles += [(left + k, y, kind) for k, kind in enumerate(
                ("CLBLL_L", "INT_L", "INT_R", "CLBLM_R"))]
        tiles += [(x, y, f"INT_FEEDTHRU_{1 + x % 2}") for x in range(40, 50)]
    (tmp_path / "xc7z020").mkdir()
    (tmp_path / "xc7z020" / "tilegrid.json").write_text(json.dumps({
        f"{kind}_{x}_{y}": {"grid_x": x, "grid_y": y, "type": kind, "sites": {
            f"SLICE_X{x}Y{y}": "SLICEL"} if kind.startswith("CLB") else {}}
        for x, y, kind in tiles}))
    made = read_sites(tmp_path)
    assert [made[f"SLICE_X{x}Y0"].across for x in (0, 39, 50, 89)] == [0, 39, 70, 109]
    inside, side, corner, hole = (made[f"SLICE_X{x}Y{y}"].room for x, y in (
        (16, 15), (0, 15), (0, 0), (39, 15)))
    assert inside == 1
    assert 0.5 < side < 0.7
    assert 0.5 < hole < 1
    assert 0.5 * side < corner < side


def test_pins_at_an_edge_cost_sooner(tmp_path, sites):
    design = Design().buffer()
    design.cell("a", "SLICE_FFX", "SLICE_X0Y3/AFF", {"Q": "a"}, {"D": "a", "CK": "clk"})
    edge = {name: site._replace(room=0.4 if name.startswith("SLICE_X0") else 1.0)
            for name, site in sites.items()}
    for some, free in ((sites, 5), (edge, 4)):
        made = prepared(tmp_path, design, some)
        assert np.ctypeslib.as_array(made._problem.free_pins, (1,))[0] == free


def test_tiles_at_an_edge_are_left_emptier(annealed, sites):
    """Cells that are all drawn to one place; the tiles nearest to it are at an edge, or are not."""
    def fullest(room):
        for x in (0, 1):
            for y in range(20, 80):
                sites[f"SLICE_X{x}Y{y}"] = sites[f"SLICE_X{x}Y{y}"]._replace(room=room)
        design = Design().buffer()
        for i in range(40):
            fixed(design, sites, f"pad{i}", 0, 100, O6=f"n{i}")
            design.cell(f"cell{i}", "SLICE_FFX", f"SLICE_X{i % 6}Y{2 * i}/AFF", {"Q": f"q{i}"},
                        {"D": f"n{i}", "CK": "clk"})
        _, after = annealed(design, Cooling(moves=100, free_pins=3, crowding=50.0))
        tiles = [(s.across, s.down) for s in (
            sites[place.split("/")[0]] for name, place in where(after).items() if "cell" in name)]
        return max(tiles.count(tile) for tile in tiles if tile[0] == 0)
    assert fullest(1.0) == 3
    assert fullest(0.0) == 2


def test_reach_narrows_to_one_row(annealed, caplog):
    with caplog.at_level(logging.INFO):
        annealed(Random(1), Cooling(moves=1, factor=0.8, narrower=0.5))
    reaches = [int(found) for found in re.findall(r"within (\d+) rows", caplog.text)]
    assert reaches[:6] == [30, 15, 8, 4, 2, 1]
    assert set(reaches[6:]) == {1}
