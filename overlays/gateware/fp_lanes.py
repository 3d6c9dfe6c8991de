"""Four outputs of the picture convolution: the outputs whose weights come in one unit."""

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.config import TAPS, UNIT
from overlays.gateware.pipeline import register

OUTPUTS = 4
SUM_BITS = 10
"""A colour sum +-r +-g +-b of odd numbers v = 2p - 255 is odd, 2u + 1 with u in -383 to 382."""
ColourSums = data.ArrayLayout(signed(SUM_BITS), 4)
"""u of r + g + b, r - g + b, r + g - b and r - g - b; the other four are their negatives, ~u."""
CHAIN_CYCLES = TAPS + 2
"""From a centre's first step (the column left of it in row 0) to `reached`."""


def _bits(steps: int) -> int:
    """Width of a sum of `steps` colour sums and 4."""
    return (383 * steps + 4).bit_length() + 1


class FpLanes(wiring.Component):
    """Nine steps of a chain for each output, then the comparison with its threshold.

    Step 3k + c of a centre adds row 2 - k, column c of its window: the sum picks one of four colour
    sums, inverts it where red's weight is -1 and adds it unless the tap lies outside.  With all
    v = 2u + 1, s = 2 * sum(u) + taps: half of the taps starts the chain, their parity ends it.
    Because each step is one cycle after the step before, a pixel of row 2 - k serves three centres
    in one cycle; no window is kept.

    Cost (four outputs): 906 LUT, 120 LUT as RAM, 934 FF.

    Ports
    -----
    unit : a unit of the layer's stream, a cycle after the three that say where it goes
    write_pass, write_thresholds, write_weights : which pass of which RAM is written
    rows : colour sums; row k (0 the lowest) 3k cycles after row 0
    passes, inside : of each step, in the cycle that picks the colour sum: the centre's pass, and
        that the tap is in the picture
    half_taps : taps // 2 of the centre in its step 0
    last_pass : of the centre three cycles before `reached`
    odd_taps : taps % 2 of the centre two cycles before `reached`
    reached, flips : s >= t and the flip bit, CHAIN_CYCLES after step 0
    """

    def __init__(self, passes: int) -> None:
        self._depth = passes
        super().__init__({
            "unit": In(UNIT),
            "write_pass": In(range(passes)),
            "write_thresholds": In(1),
            "write_weights": In(1),
            "rows": In(data.ArrayLayout(ColourSums, 3)),
            "passes": In(data.ArrayLayout(range(passes), TAPS)),
            "inside": In(data.ArrayLayout(1, TAPS)),
            "half_taps": In(3),
            "last_pass": In(range(passes)),
            "odd_taps": In(1),
            "reached": Out(OUTPUTS),
            "flips": Out(OUTPUTS),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place = _copy(m, "write_pass", self.write_pass)
        write_thresholds = _copy(m, "write_thresholds", self.write_thresholds)
        write_weights = _copy(m, "write_weights", self.write_weights)
        entries = [self.unit.word_select(o, 32) for o in range(OUTPUTS)]
        odd_taps = _copy(m, "odd_taps", self.odd_taps)
        # sum - ~term is sum + term + 1; as a difference it costs one lookup table a bit, since
        # synthesis wires the minuend straight into the carry chain but may do so with any summand.
        sums = [_copy(m, "less_taps", self.half_taps - TAPS, -TAPS)] * OUTPUTS
        for step in range(TAPS):
            row, column = divmod(step, 3)
            tap = 3 * (2 - row) + column
            colours = self.rows[row]
            reads = self._ram(m, f"weights{step}", write_weights, place, self.passes[step],
                              Cat(*(self._code(entry[3 * tap:3 * tap + 3]) for entry in entries)))
            inside = _copy(m, f"inside{step}", self.inside[step], 1)
            for o in range(OUTPUTS):
                negative, minus_green, minus_blue = reads[3 * o:3 * o + 3]
                picked = Signal(SUM_BITS, name=f"picked{step}_{o}", reset_less=True)
                invert = Signal(name=f"invert{step}_{o}", reset_less=True)
                total = Signal(signed(_bits(step + 1)), name=f"sum{step}_{o}", reset_less=True)
                term = (picked ^ invert.replicate(SUM_BITS)) & inside.replicate(SUM_BITS)
                m.d.sync += [
                    picked.eq(Mux(minus_blue, Mux(minus_green, colours[3], colours[2]),
                                  Mux(minus_green, colours[1], colours[0]))),
                    invert.eq(negative),
                    total.eq(sums[o] - (~term).as_signed()),
                ]
                sums[o] = total
        thresholds = register(m, self._ram(
            m, "thresholds", write_thresholds, place, _copy(m, "last_pass", self.last_pass),
            Cat(*(entry[:17] for entry in entries))), "thresholds_read")
        for o in range(OUTPUTS):
            threshold = thresholds.word_select(o, 17)
            m.d.sync += [
                self.reached[o].eq(Cat(odd_taps, sums[o]).as_signed()
                                   >= threshold[:16].as_signed()),
                self.flips[o].eq(threshold[16]),
            ]
        return m

    @staticmethod
    def _code(weights: Signal) -> Cat:
        """Weights of red, green, blue as: red's sign, green and blue differ from red."""
        return Cat(weights[0], weights[0] ^ weights[1], weights[0] ^ weights[2])

    def _ram(self, m: Module, name: str, enable: Signal, place: Signal, address: Signal,
             value: Cat) -> Signal:
        """LUTRAM of one entry a pass, written at `place`; what lies at `address`."""
        ram = memory.Memory(shape=len(value), depth=self._depth, init=[],
                            attrs={"ram_style": "distributed"})
        m.submodules[name] = ram
        write, read = ram.write_port(), ram.read_port(domain="comb")
        m.d.comb += [write.en.eq(enable), write.addr.eq(place), write.data.eq(value),
                     read.addr.eq(address)]
        return read.data


def _copy(m: Module, name: str, value: Value, init: int = 0) -> Signal:
    """`value` a cycle later, in flip-flops of these four outputs alone: 30 to 50 sinks each.

    A constant bit of `value` that `init` has too costs nothing.
    """
    return register(m, value, name + "_copy", keep=True, init=init)
