"""What is right with this machine, and what to do about the rest: a line for each thing.

On a board from the power supply's side up to a right answer; elsewhere what can be looked at there.
"""

from pynq_bnn.doctor.checkup import diagnose
from pynq_bnn.doctor.findings import NOT_OK, NOT_TRIED, OK, Diagnosis, Finding

__all__ = ["NOT_OK", "NOT_TRIED", "OK", "Diagnosis", "Finding", "diagnose"]
