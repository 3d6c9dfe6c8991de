"""XNOR and popcount on this computer's processor: ``device="cpu"``.

The same bits as the accelerator's without its registers, memory and programs.
"""
