"""The accelerator as built for each board: its .bit and .hwh, and what they are made from.

Of pynq_bnn only the register table is imported here.
"""
