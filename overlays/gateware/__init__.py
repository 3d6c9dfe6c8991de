"""The accelerator's gateware in Amaranth; docs/gateware.md draws the picture."""
