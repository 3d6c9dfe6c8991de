"""The stage log: how long each stage of the last program took, as the hardware counted it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

from host_ref.network import Network
from pynq_bnn import registers
from pynq_bnn.driver.control import Control

_DMA = {registers.LOAD: "load", registers.STORE: "store"}


@dataclass(frozen=True)
class StageCycles:
    """Clock cycles of one stage.

    Attributes
    ----------
    name : str
        The layer's, or "load" and "store".
    cycles, busy, waiting : int
        From start to end; of these, lanes (or DMA) moved data; of these, it waited for memory.
    """

    name: str
    cycles: int
    busy: int
    waiting: int


def read_log(control: Control, network: Network) -> Tuple[StageCycles, ...]:
    """The entries that the last program left; `network` is what it ran."""
    names = iter(layer.name for layer in network.layers)
    entries = []
    for index in range(control.read("STAGES")):
        kind = control.read("LOG_KIND", index)
        name = _DMA[kind] if kind in _DMA else next(names)
        entries.append(StageCycles(name, *(control.read(register, index) for register in (
            "LOG_CYCLES", "LOG_BUSY", "LOG_WAIT"))))
    return tuple(entries)
