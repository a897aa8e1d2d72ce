"""What the programs of a hub count as they work: plain numbers in memory, which the slice ``metrics`` shows.

They stand on the way of every batch and every request, so that counting is an addition to a list and no more: no lock,
no look-up of labels, no library. Whatever names a count comes from a table of the program's or is cut to a bound here.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final

import msgspec

from restante.core.ids import Lane, OrgId
from restante.core.refusals import Fault, Refusal

MOST_LANES: Final = 64
"""So many lanes are counted one by one, the others together as lane -1."""

OTHER_LANES: Final = -1
BATCH_COMMANDS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
BATCH_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
REQUEST_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
READER_SECONDS: Final = 3_600.0
MOST_READERS: Final = 1_000

Route = tuple[str, str]
"""A method and the template of an address; both empty for what is no route."""

_NOT_ACCEPTED: Final = (Refusal, Fault)
NO_ROUTE: Final[Route] = ("", "")


class Spread:
    """How values are spread: how many lie at or under each bound and above the bound before, the last above all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


def _sizes() -> Spread:
    return Spread(BATCH_COMMANDS)


def _batch_seconds() -> Spread:
    return Spread(BATCH_SECONDS)


def _request_seconds() -> Spread:
    return Spread(REQUEST_SECONDS)


class Batches:
    """What an engine did: how large its batches were and how long they took by lane, and what commands came to."""

    def __init__(self) -> None:
        self.sizes: defaultdict[int, Spread] = defaultdict(_sizes)
        self.seconds: defaultdict[int, Spread] = defaultdict(_batch_seconds)
        self.accepted = 0
        self.refusals: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def note(self, lane: Lane, outcomes: Sequence[object], seconds: float) -> None:
        """Count a batch of a lane that came to these outcomes."""
        place = lane if lane in self.sizes or len(self.sizes) < MOST_LANES else OTHER_LANES
        self.sizes[place].add(len(outcomes))
        self.seconds[place].add(seconds)
        self.accepted += len(outcomes)
        # Most batches are accepted whole, and a look at the kinds tells.
        if any(issubclass(kind, _NOT_ACCEPTED) for kind in set(map(type, outcomes))):
            self._note_others(outcomes)

    def _note_others(self, outcomes: Sequence[object]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Refusal):
                self.accepted -= 1
                self.refusals[outcome.code] += 1
            elif isinstance(outcome, Fault):
                self.accepted -= 1
                self.faults[type(outcome).__name__] += 1

    def turn_away(self, commands: int) -> None:
        """Count commands that found the queue full."""
        self.refusals["busy"] += commands


class Answers:
    """What an API answered: by route and status, how long each route took, and how many requests are under way."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[Route, int]] = Counter()
        self.seconds: defaultdict[Route, Spread] = defaultdict(_request_seconds)
        self.under_way = 0

    def note(self, route: Route, status: int, seconds: float) -> None:
        """Count an answer; status 0 is a caller that was gone before there was one."""
        self.counts[route, status] += 1
        self.seconds[route].add(seconds)


class Readers:
    """Where each organisation that reads the feed has come to; those heard of in the last hour, a thousand at most."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._at: dict[OrgId, tuple[float, Mapping[Lane, int]]] = {}

    def note(self, org: OrgId, positions: Mapping[Lane, int]) -> None:
        """Keep how far an organisation has read."""
        self._at.pop(org, None)
        if len(self._at) >= MOST_READERS:
            del self._at[next(iter(self._at))]
        self._at[org] = self._clock(), dict(positions)

    def behind(self, heads: Mapping[Lane, int]) -> dict[Lane, int]:
        """By how many events the last of the readers is behind, by lane; no lane when nobody reads."""
        since = self._clock() - READER_SECONDS
        reached = [positions for at, positions in self._at.values() if at >= since]
        return {
            lane: max(max(0, head - positions.get(lane, 0)) for positions in reached)
            for lane, head in heads.items()
            if reached
        }


class Work:
    """What a worker did: tasks and timers by kind and what they came to, notices by channel and outcome."""

    def __init__(self) -> None:
        self.tasks: Counter[tuple[str, str]] = Counter()
        self.timers: Counter[tuple[str, str]] = Counter()
        self.notices: Counter[tuple[str, str]] = Counter()
        self.round_at: float | None = None
        self.under_way = 0


class Lines(msgspec.Struct, frozen=True):
    """The sessions of one process: how many are open, and for how many seconds each unacknowledged one has been so."""

    open: int
    unacknowledged: Sequence[float]


class Measures(msgspec.Struct):
    """Everything that one process counts, except what its engine does."""

    answers: Answers = msgspec.field(default_factory=Answers)
    readers: Readers = msgspec.field(default_factory=Readers)
    work: Work = msgspec.field(default_factory=Work)
    lines: Callable[[], Lines] | None = None
