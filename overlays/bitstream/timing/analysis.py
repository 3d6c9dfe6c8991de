"""Arrival times over the graph, and what they leave of the clock's period.

The design has one clock.  Set-up: the slow corner's greatest delays against the next edge.  Hold:
the least delays against the same edge, once at the slow corner, once at the fast one.

Clock edges are taken at the same figure for launch and capture: their ways share all but the last
branches, and what varies along those is left to the uncertainty.
"""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Tuple

from overlays.bitstream.timing.delay import Delay
from overlays.bitstream.timing.graph import Check, Graph
from overlays.bitstream.timing.report import Endpoint, Report, Segment

_JITTER_OF_PERIOD = 0.03
_SKEW_NS = 0.1
_NEVER = float("inf")


class _View(NamedTuple):
    """Which of a delay's four figures counts."""

    corner: str
    is_latest: bool
    data: int
    clock: int

    def hold(self, check: Check) -> float:
        wanted = check.requirement
        return wanted.hold_fast if self.corner == "fast" else wanted.hold_slow

    def edge(self, graph: Graph, clock: int) -> float:
        """When the clock arrives at a clock pin; 0 where its route isn't known."""
        delay = graph.clocks.get(clock)
        return delay[self.clock] if delay is not None else 0.0


_FAST_MIN, _FAST_MAX, _SLOW_MIN, _SLOW_MAX = range(len(Delay._fields))
_SETUP = _View("slow", True, _SLOW_MAX, _SLOW_MAX)
_HOLDS = (_View("slow", False, _SLOW_MIN, _SLOW_MAX), _View("fast", False, _FAST_MIN, _FAST_MAX))


class _Arrivals(NamedTuple):
    view: _View
    times: List[float]
    origins: List[int]
    """The pin before each on its decisive path; itself where the path starts."""


def usual_uncertainty(clock_mhz: float) -> float:
    """What to take off a set-up slack for a clock from the PS7, in ns.

    Vivado's constraints for FCLK_CLK state a jitter of 3 % of the period (``set_input_jitter
    clk_fpga_0 0.3`` at 100 MHz), of which half counts.  0.1 ns more stands for skew that the
    database's figures for clock wires don't show.
    """
    return 1000.0 / clock_mhz * _JITTER_OF_PERIOD / 2 + _SKEW_NS


def analyse(graph: Graph, clock_mhz: float, uncertainty_ns: Optional[float] = None,
            paths: int = 10) -> Report:
    """Judge every endpoint.

    Parameters
    ----------
    graph
        The design.
    clock_mhz
        The clock that it shall meet.
    uncertainty_ns
        Taken off every set-up slack; :func:`usual_uncertainty` by default.
    paths
        How many of the worst paths are written out, for set-up and for hold.
    """
    if uncertainty_ns is None:
        uncertainty_ns = usual_uncertainty(clock_mhz)
    order = graph.order()
    late = _propagate(graph, order, _SETUP)
    early = [_propagate(graph, order, view) for view in _HOLDS]
    tainted = _tainted(graph, order)
    available = 1000.0 / clock_mhz - uncertainty_ns

    report = Report(clock_mhz=clock_mhz, uncertainty_ns=uncertainty_ns, notes=list(graph.notes))
    report.untimed = {kind: sorted(pins) for kind, pins in sorted(graph.untimed.items())}
    setups: List[Tuple[float, int]] = []
    holds: List[Tuple[float, int, int]] = []
    for number, check in enumerate(graph.checks):
        name = graph.names[check.pin]
        if late.times[check.pin] == -_NEVER:
            if tainted[check.pin]:
                report.unconstrained.append(name)
            else:
                report.constant += 1
            continue
        if tainted[check.pin]:
            report.partly_untimed.append(name)
        setups.append((available - check.requirement.setup - late.times[check.pin]
                       + _SETUP.edge(graph, check.clock), number))
        holds.append(min(
            (arrivals.times[check.pin] - arrivals.view.edge(graph, check.clock)
             - arrivals.view.hold(check), number, k) for k, arrivals in enumerate(early)))
    setups.sort()
    holds.sort()
    report.endpoints = len(setups)
    report.setup_slacks = [slack for slack, _ in setups]
    report.hold_slacks = [slack for slack, _, _ in holds]
    for slack, number in setups[:paths]:
        check = graph.checks[number]
        report.setup_paths.append(
            _endpoint(graph, check, slack, late, check.requirement.setup))
    for slack, number, k in holds[:paths]:
        check = graph.checks[number]
        report.hold_paths.append(
            _endpoint(graph, check, slack, early[k], early[k].view.hold(check)))
    return report


def _propagate(graph: Graph, order: List[int], view: _View) -> _Arrivals:
    never = -_NEVER if view.is_latest else _NEVER
    sign = 1 if view.is_latest else -1
    column = view.data
    times = [never] * len(graph.names)
    origins = list(range(len(graph.names)))
    for pin, launch in graph.launches.items():
        times[pin] = view.edge(graph, launch.clock) + launch.delay[column]
    for pin in order:
        start = times[pin]
        if start == never:
            continue
        for sink, delay, _ in graph.fanout[pin]:
            time = start + delay[column]
            if sign * time > sign * times[sink]:
                times[sink] = time
                origins[sink] = pin
    return _Arrivals(view, times, origins)


def _tainted(graph: Graph, order: List[int]) -> List[bool]:
    """Which pins depend on an output that nothing times."""
    tainted = [False] * len(graph.names)
    for pin in graph.untimed_sources:
        tainted[pin] = True
    for pin in order:
        if tainted[pin]:
            for arc in graph.fanout[pin]:
                tainted[arc.sink] = True
    return tainted


def _endpoint(graph: Graph, check: Check, slack: float, arrivals: _Arrivals,
              requirement: float) -> Endpoint:
    view, times, origins = arrivals
    pins = [check.pin]
    while origins[pins[-1]] != pins[-1]:
        pins.append(origins[pins[-1]])
    pins.reverse()
    launch = graph.launches[pins[0]]
    segments = [Segment("clock to output", graph.names[launch.clock], graph.names[pins[0]],
                        launch.delay[view.data])]
    for source, sink in zip(pins, pins[1:]):
        is_net = any(arc.is_net for arc in graph.fanout[source] if arc.sink == sink)
        segments.append(Segment("net" if is_net else "cell", graph.names[source],
                                graph.names[sink], times[sink] - times[source]))
    skew = view.edge(graph, check.clock) - view.edge(graph, launch.clock)
    return Endpoint(startpoint=graph.names[launch.clock], endpoint=graph.names[check.pin],
                    corner=view.corner, slack_ns=slack, requirement_ns=requirement,
                    skew_ns=skew, segments=segments)
