"""How maps lie in the rows of a buffer, in hardware.

A row of 512 bits has four *quarters* of 128 bits (a unit).  A pixel takes 1, 2 or 4 of them,
2 ** `spread`; so `spread` is also log2 of the reducers that share an output of a convolution.
"""

from amaranth import Const, Module, Mux, Signal, Value

from overlays.gateware.pipeline import register


def at_most(value: Value, limit: int) -> Value:
    """value <= limit, in LUTs without a carry chain."""
    fits = Const(1)
    for bit in range(len(value)):
        fits = ~value[bit] | fits if limit >> bit & 1 else ~value[bit] & fits
    return fits


def spread(blocks: Value) -> Value:
    """log2 of the quarters that a pixel of so many blocks of 64 channels takes, 1 to 8 blocks."""
    return Mux(blocks.matches(1, 2), 0, Mux(blocks.matches(3, 4), 1, 2))


def log2_in_row(blocks: Value) -> Value:
    """log2 of the pixels of so many 64-channel blocks in a row of 512 bits; 3 if less than one."""
    return Mux(at_most(blocks, 2), 2, Mux(at_most(blocks, 4), 1, Mux(at_most(blocks, 8), 0, 3)))


def times2(number: Value, bits: Value) -> Value:
    """The product with a number of two bits."""
    return Mux(bits[0], number, 0) + (Mux(bits[1], number, 0) << 1)


def pixels(m: Module, height: Value, width: Value, bits: int, keep: bool = False) -> Signal:
    """height * width of 6 bits each, its lowest `bits`.

    PIXELS_LATENCY cycles after the sides, if these then stand still.  Two bits of the width at a
    time, so a short carry chain at most lies between registers.
    """
    pairs = [register(m, times2(height, width[bit:bit + 2]), f"pair{bit}") for bit in (0, 2, 4)]
    low = register(m, pairs[0] + (pairs[1] << 2), "low")
    return register(m, (low + (pairs[2] << 4))[:bits], "pixels", keep=keep)


PIXELS_LATENCY = 3
