"""The gateware as a shared library: Verilator's translation of it and a memory behind it."""
