"""How long it takes: :func:`latency` of one call, :func:`throughput` of a stream of pictures.

:func:`simulated` has the cycles that the gateware's simulation counted, for predictions.
"""

from pynq_bnn.measure.latency import Latency, latency
from pynq_bnn.measure.provenance import Provenance
from pynq_bnn.measure.simulated import simulated
from pynq_bnn.measure.throughput import Throughput, throughput

__all__ = ["Latency", "Provenance", "Throughput", "latency", "simulated", "throughput"]
