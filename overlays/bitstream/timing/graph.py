"""The graph that is analysed: pins, delays from pin to pin, clocked outputs and inputs."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Set

from overlays.bitstream.timing.delay import Delay, Requirement, TimingError


class Arc(NamedTuple):
    """A way from one pin to the next."""

    sink: int
    delay: Delay
    is_net: bool


class Launch(NamedTuple):
    """An output that changes with the clock."""

    clock: int
    delay: Delay


class Check(NamedTuple):
    """An input that is sampled by the clock."""

    pin: int
    clock: int
    requirement: Requirement


class Graph:
    """Pins are numbered in the order of their first mention."""

    def __init__(self) -> None:
        self.names: List[str] = []
        self._numbers: Dict[str, int] = {}
        self.fanout: List[List[Arc]] = []
        self.launches: Dict[int, Launch] = {}
        self.checks: List[Check] = []
        self.clocks: Dict[int, Delay] = {}
        """When the clock arrives at a clock pin, counted from the clock's source."""
        self.untimed: Dict[str, List[str]] = {}
        """Pins that have a net and no timing, by kind of cell."""
        self.untimed_sources: Set[int] = set()
        self.notes: List[str] = []
        """What the report has to say about how the graph came about."""

    def pin(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.names)
            self.names.append(name)
            self.fanout.append([])
        return number

    def arc(self, source: str, sink: str, delay: Delay, is_net: bool = False) -> None:
        self.fanout[self.pin(source)].append(Arc(self.pin(sink), delay, is_net))

    def launch(self, output: str, clock: str, delay: Delay) -> None:
        self.launches[self.pin(output)] = Launch(self.pin(clock), delay)

    def check(self, pin: str, clock: str, requirement: Requirement) -> None:
        self.checks.append(Check(self.pin(pin), self.pin(clock), requirement))

    def untimed_pin(self, pin: str, kind: str, is_output: bool) -> None:
        self.untimed.setdefault(kind, []).append(pin)
        if is_output:
            self.untimed_sources.add(self.pin(pin))

    def order(self) -> List[int]:
        """All pins, each after those that it depends on.

        Raises
        ------
        TimingError
            If pins go round in a loop; it names them.
        """
        waiting = [0] * len(self.names)
        for arcs in self.fanout:
            for arc in arcs:
                waiting[arc.sink] += 1
        order = [pin for pin, count in enumerate(waiting) if not count]
        for pin in order:  # grows as it goes
            for arc in self.fanout[pin]:
                waiting[arc.sink] -= 1
                if not waiting[arc.sink]:
                    order.append(arc.sink)
        if len(order) < len(waiting):
            loop = self._loop({pin for pin, count in enumerate(waiting) if count})
            raise TimingError("combinational loop: " + " -> ".join(self.names[p] for p in loop))
        return order

    def _loop(self, stuck: Set[int]) -> List[int]:
        """One loop among pins of which each waits for another of them."""
        feeder = {arc.sink: pin for pin in stuck for arc in self.fanout[pin] if arc.sink in stuck}
        trail = [next(iter(feeder))]
        while feeder[trail[-1]] not in trail:
            trail.append(feeder[trail[-1]])
        start = feeder[trail[-1]]
        return [start, *reversed(trail[trail.index(start):])]
