"""What the model and the RTL share: contiguous memory, and buffers with PYNQ's interface."""
