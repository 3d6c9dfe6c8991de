"""How long it takes: :func:`latency` of one call, :func:`throughput` of a stream of pictures."""

from pynq_bnn.measure.latency import Latency, latency
from pynq_bnn.measure.throughput import Throughput, throughput

__all__ = ["Latency", "Throughput", "latency", "throughput"]
