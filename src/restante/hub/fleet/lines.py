"""The lines of one hub process, found by session, by source and by point, without looking at each of thousands."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from restante.core.ids import PointId, SourceId
from restante.hub.fleet import session
from restante.hub.fleet.line import Line

K = TypeVar("K")


class Lines:
    """Lines by the name of their session. Those of a source and of a point are known once they were placed."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self._placed: dict[str, tuple[SourceId, PointId]] = {}
        self._of_source: dict[SourceId, set[str]] = {}
        self._at_point: dict[PointId, set[str]] = {}

    def __iter__(self) -> Iterator[tuple[str, Line]]:
        return iter(list(self._lines.items()))

    def add(self, name: str, line: Line) -> None:
        """A line was opened."""
        self._lines[name] = line

    def place(self, name: str, source: SourceId, point: PointId) -> None:
        """A line turned out to be a source's."""
        if name in self._lines:
            self._placed[name] = source, point
            self._of_source.setdefault(source, set()).add(name)
            self._at_point.setdefault(point, set()).add(name)

    def drop(self, name: str) -> None:
        """A line is over."""
        self._lines.pop(name, None)
        if name in self._placed:
            source, point = self._placed.pop(name)
            _take_out(self._of_source, source, name)
            _take_out(self._at_point, point, name)

    def named(self, names: Iterable[str]) -> list[Line]:
        """Those of these sessions that are here."""
        return [self._lines[name] for name in names if name in self._lines]

    def at(self, points: Iterable[PointId]) -> list[Line]:
        """The lines to sources at these points that are in session."""
        return [
            line
            for point in points
            for line in self.named(self._at_point.get(point, ()))
            if isinstance(line.state, session.Open)
        ]

    def open(self) -> list[Line]:
        """Every line that is in session."""
        return [line for line in self._lines.values() if isinstance(line.state, session.Open)]

    def states(self) -> list[session.Open]:
        """The state of every line that is in session."""
        return [line.state for line in self._lines.values() if isinstance(line.state, session.Open)]

    def states_of(self, source: SourceId) -> list[session.Open]:
        """The states of the lines to one source that are in session."""
        states = [line.state for line in self.named(self._of_source.get(source, ()))]
        return [state for state in states if isinstance(state, session.Open)]


def _take_out(index: dict[K, set[str]], key: K, name: str) -> None:
    index[key].discard(name)
    if not index[key]:
        del index[key]
