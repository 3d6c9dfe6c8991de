"""The AXI3 slave behind the processor's GP0 port: bursts become single register accesses."""

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from overlays.gateware.axi import GP, Burst, Response
from overlays.gateware.pipeline import moved
from overlays.gateware.register_bus import READ_LATENCY, RegisterBus

WINDOW_BITS = 12
REGISTER_SIZE = 2
"""SIZE of a whole register: log2 of its bytes."""
READ_CYCLES = READ_LATENCY + 4
"""Cycles from ARVALID to RVALID of the first beat, when the slave is idle."""
WRITE_CYCLES = READ_LATENCY + 5
"""Cycles from AWVALID and WVALID to BVALID of a single write, when the slave is idle."""


class AxiSlave(wiring.Component):
    """Takes one transaction at a time; reads and writes that wait take turns.

    Bursts may be INCR or FIXED, of 1 to 16 beats.  A beat is answered with SLVERR, and no register
    is touched, when it is not of 4 aligned bytes (SIZE, address, a write's strobes), when its
    address is outside the window, or when the burst is a WRAP.  A write burst answers SLVERR if any
    of its beats would.  Write data are taken
    after their address and in its order; IDs come back as they were sent.  No READY or VALID
    depends on an input of the same cycle.

    Cost: 120 LUT, 140 FF.

    Parameters
    ----------
    base : int
        Address of the window of 4 KiB, a multiple of its size.

    Attributes
    ----------
    axi : In(GP)
    bus : Out(RegisterBus)
    """

    axi: In(GP)
    bus: Out(RegisterBus)

    def __init__(self, base: int) -> None:
        if base % (1 << WINDOW_BITS):
            raise ValueError(f"the window's base 0x{base:08X} is not a multiple of 4 KiB")
        self.base = base
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi, bus = self.axi, self.bus
        writing, wrote_last = Signal(), Signal()
        address, beats_left, burst, size = Signal(32), Signal(4), Signal(2), Signal(2)
        strobed, valid_beat, bad, failed = Signal(), Signal(), Signal(), Signal()
        wait = Signal(range(READ_LATENCY))
        following = Signal(WINDOW_BITS - REGISTER_SIZE)
        m.d.comb += axi.rlast.eq(beats_left == 0)
        # the address stands for cycles before it is used: far readers get a register of their own
        m.d.sync += [bus.address.eq(address[:WINDOW_BITS]),
                     following.eq(moved(address[REGISTER_SIZE:WINDOW_BITS], Const(1)))]
        m.d.comb += valid_beat.eq((size == REGISTER_SIZE) & (address[:2] == 0)
                                  & ((burst == Burst.INCR) | (burst == Burst.FIXED))
                                  & (address[WINDOW_BITS:] == self.base >> WINDOW_BITS))

        def take(prefix: str, identity: Signal) -> list:
            return [register.eq(getattr(axi, prefix + name)) for register, name in (
                (identity, "id"), (address, "addr"), (beats_left, "len"), (burst, "burst"),
                (size, "size"))]

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [failed.eq(0), strobed.eq(1)]
                with m.If(axi.awvalid & ~(axi.arvalid & wrote_last)):
                    m.d.sync += [writing.eq(1), wrote_last.eq(1)]
                    m.next = "ADDRESS"
                with m.Elif(axi.arvalid):
                    m.d.sync += [writing.eq(0), wrote_last.eq(0)]
                    m.next = "ADDRESS"
            with m.State("ADDRESS"):
                m.d.comb += [axi.awready.eq(writing), axi.arready.eq(~writing)]
                with m.If(writing):
                    m.d.sync += take("aw", axi.bid)
                    m.next = "DATA"
                with m.Else():
                    m.d.sync += take("ar", axi.rid)
                    m.next = "CHECK"
            with m.State("DATA"):
                m.d.comb += axi.wready.eq(1)
                with m.If(axi.wvalid):
                    m.d.sync += [bus.write_data.eq(axi.wdata), strobed.eq(axi.wstrb.all())]
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += bad.eq(~(valid_beat & strobed))
                m.next = "ACCESS"
            with m.State("ACCESS"):
                m.d.comb += [bus.write.eq(writing & ~bad), bus.read.eq(~writing & ~bad)]
                m.d.sync += wait.eq(READ_LATENCY - 1)
                m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += wait.eq(wait - 1)
                with m.If(wait == 0):
                    m.d.sync += [axi.rdata.eq(bus.read_data), failed.eq(failed | bad),
                                 axi.rresp.eq(Mux(bad, Response.SLVERR, Response.OKAY))]
                    with m.If(~writing):
                        m.next = "READ"
                    with m.Elif(beats_left == 0):
                        m.d.sync += axi.bresp.eq(
                            Mux(failed | bad, Response.SLVERR, Response.OKAY))
                        m.next = "RESPONSE"
                    with m.Else():
                        m.next = "NEXT"
            with m.State("READ"):
                m.d.comb += axi.rvalid.eq(1)
                with m.If(axi.rready):
                    with m.If(beats_left == 0):
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "NEXT"
            with m.State("NEXT"):
                m.d.sync += beats_left.eq(beats_left - 1)
                with m.If(burst == Burst.INCR):
                    m.d.sync += address[REGISTER_SIZE:WINDOW_BITS].eq(following)
                with m.If(writing):
                    m.next = "DATA"
                with m.Else():
                    m.next = "CHECK"
            with m.State("RESPONSE"):
                m.d.comb += axi.bvalid.eq(1)
                with m.If(axi.bready):
                    m.next = "IDLE"
        return m
