"""The model device: the accelerator's registers, programs and arithmetic, simulated in numpy.

To read it: ``device`` (registers) → ``sequencer`` (programs) → ``stages`` (what a stage's registers
mean) → ``memories`` and ``layout`` (what lies on the chip) → ``datapath`` (the arithmetic).
"""

from pynq_bnn.devices.model.device import ModelDevice

__all__ = ["ModelDevice"]
