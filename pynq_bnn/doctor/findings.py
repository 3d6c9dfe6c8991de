"""What was found: each thing is ok, not ok, or not tried, and the last two say what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Callable, Dict, List, Tuple

from host_ref.errors import BnnError, printable

OK, NOT_OK, NOT_TRIED = "ok", "not ok", "not tried"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
    state : {"ok", "not ok", "not tried"}
    said : str
        What was found, or why nothing was tried, and what to do.
    """

    name: str
    state: str
    said: str


class Untried(Exception):
    """A check that can't be made here; its text says why, and what would have to be."""


class Amiss(Exception):
    """A check that found something wrong; its text says what, and what to do."""


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """All findings, in the order in which one rests on the other: the first fault matters most."""

    findings: Tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is amiss; things not tried don't count."""
        return all(finding.state != NOT_OK for finding in self.findings)

    def __str__(self) -> str:
        lines = [f"{finding.state:<9} {finding.name}: {printable(finding.said)}"
                 for finding in self.findings]
        bad = sum(finding.state == NOT_OK for finding in self.findings)
        untried = sum(finding.state == NOT_TRIED for finding in self.findings)
        verdict = f"{bad} not ok: begin with the first" if bad else "all well"
        return "\n".join([*lines, f"{verdict}" + (f"; {untried} not tried" if untried else "")])

    __repr__ = __str__

    def to_dict(self) -> Dict[str, Any]:
        """For JSON."""
        return {"healthy": self.healthy, "findings": [asdict(each) for each in self.findings]}


def look(checks: List[Tuple[str, Callable[[], str]]]) -> Diagnosis:
    """Make each check: it returns what it found, or raises Amiss, Untried or one of our errors.

    A check that breaks in another way is not ok too, and doesn't keep the others from being made.
    """
    findings: List[Finding] = []
    for name, check in checks:
        try:
            state, said = OK, check()
        except Untried as error:
            state, said = NOT_TRIED, str(error)
        except (Amiss, BnnError) as error:
            state, said = NOT_OK, str(error)
        except Exception as error:
            state, said = NOT_OK, f"{type(error).__name__}: {error}"
        findings.append(Finding(name, state, said))
    return Diagnosis(tuple(findings))
