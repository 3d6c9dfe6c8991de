"""The accelerator in a Zynq: its ports on the processing system's (UG585), one clock, no pins."""

from amaranth import (
    Cat,
    ClockDomain,
    ClockSignal,
    Elaboratable,
    Instance,
    Module,
    Signal,
)

from overlays.boards import HP_PORTS
from overlays.gateware.config import Config
from overlays.gateware.core import Core
from overlays.gateware.pipeline import KEEP

RESET_STAGES = 3


class Zynq(Elaboratable):
    """PS7, the accelerator and nothing else.

    FCLK0 clocks everything through one BUFG.  FCLK_RESET0_N comes through RESET_STAGES flip-flops
    to the accelerator's reset; the bitstream itself initialises every flip-flop.  Inputs of the PS7
    that are left open are tied to ground by the placer.
    """

    def __init__(self, config: Config, build: int = 0) -> None:
        self.config = config
        self.core = Core(config, build)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.accelerator = core = self.core
        m.domains.sync = ClockDomain("sync", reset_less=True)
        fclk, running = Signal(4), Signal(4)
        # kept, or they become a shift register in a LUT, which is slow to come out of
        resets = Signal(RESET_STAGES, init=-1, **KEEP)
        m.submodules.bufg = Instance("BUFG", i_I=fclk[0], o_O=ClockSignal())
        m.d.comb += core.reset.eq(resets[-1])
        m.d.sync += resets.eq(Cat(~running[0], resets))
        ports = {"o_FCLKCLK": fclk, "o_FCLKRESETN": running, "i_MAXIGP0ACLK": ClockSignal(),
                 **_connections("MAXIGP0", core.gp),
                 **_connections(f"SAXIHP{HP_PORTS[0]}", core.hp0_write)}
        for n in range(self.config.ports):
            port = f"SAXIHP{HP_PORTS[n]}"
            ports[f"i_{port}ACLK"] = ClockSignal()
            ports.update(_connections(port, getattr(core, f"hp{n}_read")))
        m.submodules.ps7 = Instance("PS7", **ports)
        return m


def _connections(prefix: str, interface: object) -> dict:
    """The PS7 primitive's ports for an AXI interface: what goes out here goes in there."""
    return {f"{'i' if member.flow.name == 'Out' else 'o'}_{prefix}{name.upper()}":
            getattr(interface, name) for name, member in interface.signature.members.items()}
